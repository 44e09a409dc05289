"""The tests T1 to T67 that the privacy research asks for: where each one is.

Two are other than that research has it. T7: the daily id is made of the address as it
is cut before, to /48 and not to /64. T20: the default mode tells an undecided visit to
all systems; Google hears nothing of one in ``cookieless``, or with
``reuse_needs_consent``.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

WHERE = {
    1: (
        "test_salts.py::test_two_workers_share_a_directory",
        "test_cookieless.py::test_workers_agree_on_a_visit_without_asking_each_other",
    ),
    2: "test_salts.py::test_of_many_that_race_one_makes_the_salt",
    3: "test_salts.py::test_after_two_days_a_salt_is_gone",
    4: (
        "test_cookieless.py::test_a_visit_goes_on_across_midnight",
        "test_cookieless.py::test_a_visit_of_yesterday_that_is_over_is_not_joined",
    ),
    5: "test_cookieless.py::test_what_stands_on_either_side_of_a_border_is_not_the_same",
    6: "test_cookieless.py::test_sites_know_a_visitor_by_ids_that_have_nothing_in_common",
    7: "test_cookieless.py::test_a_visitor_is_known_by_the_network_of_the_address",
    8: (
        "test_canary.py::test_no_call_of_any_system_holds_it",
        "test_salts.py::test_a_representation_shows_no_salt",
    ),
    9: (
        "test_salts.py::test_a_derived_salt_warns_that_it_is_never_gone",
        "with_frameworks/test_django_settings.py::test_the_checks_warn_of_what_is_probably_not_meant",
    ),
    10: "test_salts.py::test_a_clock_that_goes_back_a_day_makes_no_second_salt",
    11: (
        "test_consent_cookies.py::test_what_a_new_visitor_gets",
        "test_consent_cookies.py::test_what_an_action_gets",
        "test_consent_payloads.py::test_each_system_is_told_what_the_visitor_allows",
    ),
    12: "test_abuse.py::test_a_refusal_holds_for_all_that_follows",
    13: (
        "test_extractor.py::test_a_browser_may_object",
        "test_extractor.py::test_one_of_several_lines_is_enough_to_object",
    ),
    14: "test_consent.py::test_a_grant_beats_the_browsers_signal",
    15: "test_consent_cookies.py::test_a_new_version_asks_who_accepted_and_nobody_else",
    16: "test_consent_cookies.py::test_a_decision_counts_as_long_as_is_configured",
    17: "test_consent_cookies.py::test_an_action_that_cannot_be_deleted_is_heard_once",
    18: (
        "test_platforms.py::test_purposes_and_vendors_decide",
        "test_platforms.py::test_what_is_no_tc_string_is_no_decision",
        "test_platforms.py::test_strings_of_older_policies_are_no_decision",
    ),
    19: "test_consent_cookies.py::test_acceptance_begins_a_random_id_that_is_kept",
    20: ("test_consent_payloads.py::test_each_system_is_told_what_the_visitor_allows",),
    21: "test_addresses.py::test_an_address_is_cut_or_omitted",
    22: "test_addresses.py::test_ipv6_keeps_its_first_48_bits_and_nothing_else",
    23: (
        "test_canary.py::test_no_call_of_any_system_holds_it",
        "test_canary.py::test_no_bytes_on_the_wire_hold_any_whoever_sends",
    ),
    24: "test_abuse.py::test_no_header_of_a_call_has_a_line_break",
    25: (
        "test_addresses.py::test_the_visitor_is_found_behind_proxies",
        "with_frameworks/test_proxies.py::test_the_visitor_is_whom_our_own_proxy_names",
    ),
    26: "test_addresses.py::test_nothing_left_of_the_trusted_entry_is_believed",
    27: "test_exchange.py::test_the_address_rule_sees_the_peer_and_every_line",
    28: "test_addresses.py::test_the_visitor_is_found_behind_proxies",
    29: "test_addresses.py::test_forwarded_is_read_as_rfc_7239_says",
    30: "test_addresses.py::test_a_huge_header_is_neither_read_nor_slow",
    31: "test_filters.py::test_each_recorded_page_load_counts_and_only_four_others_do",
    32: "test_filters.py::test_each_recorded_page_load_counts_and_only_four_others_do",
    33: (
        "test_bots.py::test_a_browser_is_no_robot",
        "test_bots.py::test_a_robot_is_known_by_its_name_or_its_shape",
    ),
    34: (
        "test_bots.py::test_no_user_agent_is_slow_to_judge",
        "test_bounded_time.py::test_512_characters_take_less_than_2_ms",
    ),
    35: (
        "test_abuse.py::test_every_reason_of_a_request_is_reached_and_counted",
        "test_abuse.py::test_every_reason_is_reached_by_some_test",
    ),
    36: "test_filters.py::test_a_prefix_excludes_whole_segments",
    37: (
        "test_filters.py::test_an_answer_is_judged_by_its_head",
        "test_extractor.py::test_a_cookie_goes_only_where_no_shared_cache_keeps_it",
    ),
    38: "test_referrers.py::test_a_host_on_the_list_counts_with_those_below_it",
    39: "test_scrubbing.py::test_a_path_is_written_anew",
    40: "test_canary.py::test_no_call_of_any_system_holds_it",
    41: "test_scrubbing.py::test_a_text_keeps_all_but_personal_data",
    42: (
        "test_scrubbing.py::test_64_kib_of_anything_cost_little",
        "test_bounded_time.py::test_64_kb_of_anything_take_less_than_100_ms",
    ),
    43: "test_scrubbing.py::test_a_url_scrubbed_twice_is_as_scrubbed_once",
    44: "test_abuse.py::test_the_link_that_resets_a_password_holds_no_token",
    45: "test_consent_cookies.py::test_the_attributes_are_those_that_are_configured",
    46: (
        "test_cookies.py::test_a_cookie_is_found_if_it_is_plain_and_alone",
        "with_frameworks/test_planted_cookies.py::test_only_our_own_cookie_names_a_visitor",
    ),
    47: "test_extractor.py::test_what_is_not_ours_gives_a_new_visitor",
    48: "test_cookies.py::test_an_old_key_verifies_and_the_newest_signs",
    49: "test_extractor.py::test_a_cookie_goes_only_where_no_shared_cache_keeps_it",
    50: "test_abuse.py::test_the_id_cookie_is_small",
    51: "test_abuse.py::test_a_signature_is_compared_in_constant_time",
    52: "test_exchange.py::test_cookies_on_several_lines_are_joined",
    53: "test_visitors.py::test_a_visit_ends_after_thirty_idle_minutes",
    54: "test_visitors.py::test_a_view_every_four_minutes_stays_one_visit_for_three_hours",
    55: "test_visitors.py::test_the_cookie_is_written_again_only_when_its_time_is_old",
    56: "test_visitors.py::test_a_clock_that_jumps_back_breaks_nothing",
    57: "test_own_cookie.py::test_a_copy_of_the_cookie_is_worth_nothing_on_another_site",
    58: "test_abuse.py::test_no_header_of_a_call_has_a_line_break",
    59: "senders/test_transports.py::test_any_status_is_an_answer_and_no_redirect_is_followed",
    60: "test_abuse.py::test_a_visitor_writes_no_line_of_the_log",
    61: "senders/test_transports.py::test_no_url_gets_into_any_log",
    62: "test_own_cookie.py::test_only_a_post_of_the_site_itself_gets_the_cookie",
    63: "test_own_cookie.py::test_only_a_post_of_the_site_itself_gets_the_cookie",
    64: "faults/test_load_faults.py::test_big_hits_are_bounded_by_their_bytes",
    65: "test_abuse.py::test_what_is_remembered_of_visitors_is_bounded",
    66: "test_abuse.py::test_whatever_fails_the_answer_stays_as_it_is",
    67: (
        "test_abuse.py::test_a_host_that_is_not_the_sites_is_in_no_report",
        "test_exchange.py::test_a_malformed_host_is_replaced_by_the_servers_own_name",
    ),
}


def places():
    """Yield where the tests are: file and function."""
    for found in WHERE.values():
        yield from (found,) if isinstance(found, str) else found


def test_none_is_left_out():
    assert list(WHERE) == list(range(1, 68))


@pytest.mark.parametrize("place", sorted(set(places())))
def test_each_is_where_the_table_says(place):
    file, _, name = place.partition("::")
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    names = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }

    assert name in names
