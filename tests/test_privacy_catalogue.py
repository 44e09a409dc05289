"""The tests T1 to T67 that the privacy research asks for: where each one is.

Some are other than that research has it. T7: the daily id is made of the address as it
is cut before, to /48 and not to /64. T8: a user agent is told, for systems need it.
T9: the check is W006. T16: a decision is forgotten by the browser, with its cookie.
T20: the default mode tells an undecided visit to all systems; Google hears nothing of
one in ``cookieless``, or with ``reuse_needs_consent``. T31: the file holds 17 distinct
page loads. T49: a streamed answer may carry a cookie, for its head comes first. T55:
the cookie is half a minute old at most, and not five.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

WHERE = {
    1: (
        "test_salts.py::test_two_workers_share_a_directory",
        "test_privacy_demands.py::test_two_processes_with_one_directory_call_a_visitor_the_same",
    ),
    2: (
        "test_salts.py::test_of_many_that_race_one_makes_the_salt",
        "test_privacy_demands.py::test_32_processes_that_race_make_one_file_and_leave_no_other",
    ),
    3: (
        "test_salts.py::test_after_two_days_a_salt_is_gone",
        "test_privacy_demands.py::test_nothing_that_is_kept_makes_an_old_id_again",
    ),
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
        "test_privacy_demands.py::test_a_daily_id_gives_neither_salt_nor_address_away",
    ),
    9: (
        "test_salts.py::test_a_derived_salt_warns_that_it_is_never_gone",
        "test_privacy_demands.py::test_a_derived_salt_is_warned_of_once",
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
    14: (
        "test_consent.py::test_a_grant_beats_the_browsers_signal",
        "test_consent_payloads.py::test_a_grant_beats_the_signal_of_the_browser",
    ),
    15: (
        "test_consent_cookies.py::test_a_new_version_asks_who_accepted_and_nobody_else",
        "test_consent_cookies.py::test_a_new_version_ends_the_id_that_the_old_one_kept",
    ),
    16: (
        "test_consent_cookies.py::test_a_decision_counts_as_long_as_is_configured",
        "test_consent_cookies.py::test_a_grant_that_ran_out_ends_the_id_it_kept",
        "test_privacy_demands.py::test_a_decision_is_forgotten_when_its_time_has_passed",
    ),
    17: "test_consent_cookies.py::test_an_action_that_cannot_be_deleted_is_heard_once",
    18: (
        "test_privacy_demands.py::test_the_example_of_the_specification_says_what_it_says_there",
        "test_privacy_demands.py::test_no_beginning_of_it_without_its_consents_says_anything",
        "test_privacy_demands.py::test_it_decides_under_a_policy_that_counts",
        "test_platforms.py::test_purposes_and_vendors_decide",
        "test_platforms.py::test_what_is_no_tc_string_is_no_decision",
        "test_platforms.py::test_strings_of_older_policies_are_no_decision",
    ),
    19: (
        "test_consent_cookies.py::test_acceptance_begins_a_random_id_that_is_kept",
        "test_consent_payloads.py::test_each_system_is_told_what_the_visitor_allows",
    ),
    20: (
        "test_consent_payloads.py::test_each_system_is_told_what_the_visitor_allows",
        "test_consent_payloads.py::test_systems_that_reuse_data_may_have_to_wait",
    ),
    21: "test_addresses.py::test_an_address_is_cut_or_omitted",
    22: (
        "test_addresses.py::test_ipv4_keeps_its_first_24_bits_and_nothing_else",
        "test_addresses.py::test_ipv6_keeps_its_first_48_bits_and_nothing_else",
        "test_addresses.py::test_a_wrapped_ipv4_address_is_told_as_the_plain_one",
    ),
    23: (
        "test_canary.py::test_no_call_of_any_system_holds_it",
        "test_canary.py::test_no_bytes_on_the_wire_hold_any_whoever_sends",
    ),
    24: (
        "test_abuse.py::test_no_header_of_a_call_has_a_line_break",
        "test_privacy_demands.py::test_nothing_hostile_becomes_a_header",
    ),
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
        "test_privacy_demands.py::test_an_answer_that_others_may_get_carries_no_id",
    ),
    38: "test_referrers.py::test_a_host_on_the_list_counts_with_those_below_it",
    39: (
        "test_scrubbing.py::test_a_path_is_written_anew",
        "test_scrubbing.py::test_only_parameters_on_the_list_stay",
        "test_scrubbing.py::test_a_referrer_is_written_anew",
        "test_scrubbing.py::test_the_corpus_is_large",
        "test_scrubbing.py::test_a_url_is_at_most_2048_characters_long",
    ),
    40: "test_canary.py::test_no_call_of_any_system_holds_it",
    41: "test_scrubbing.py::test_a_text_keeps_all_but_personal_data",
    42: (
        "test_scrubbing.py::test_64_kib_of_anything_cost_little",
        "test_bounded_time.py::test_64_kb_of_anything_take_less_than_100_ms",
    ),
    43: (
        "test_scrubbing.py::test_a_url_scrubbed_twice_is_as_scrubbed_once",
        "test_scrubbing.py::test_a_text_scrubbed_twice_is_as_scrubbed_once",
        "test_scrubbing.py::test_a_referrer_scrubbed_twice_is_as_scrubbed_once",
    ),
    44: "test_abuse.py::test_the_link_that_resets_a_password_holds_no_token",
    45: (
        "test_consent_cookies.py::test_the_attributes_are_those_that_are_configured",
        "test_consent_cookies.py::test_the_name_is_the_one_that_is_configured",
        "test_consent_cookies.py::test_the_prefix_is_there_on_https_alone",
    ),
    46: (
        "test_cookies.py::test_a_cookie_is_found_if_it_is_plain_and_alone",
        "with_frameworks/test_planted_cookies.py::test_only_our_own_cookie_names_a_visitor",
    ),
    47: (
        "test_extractor.py::test_what_is_not_ours_gives_a_new_visitor",
        "test_privacy_demands.py::test_a_cookie_that_is_worth_nothing_makes_a_new_visitor",
        "test_privacy_demands.py::test_the_good_one_among_them_names_the_visitor",
    ),
    48: (
        "test_cookies.py::test_an_old_key_verifies_and_the_newest_signs",
        "test_extractor.py::test_a_retired_key_still_verifies",
    ),
    49: (
        "test_extractor.py::test_a_cookie_goes_only_where_no_shared_cache_keeps_it",
        "test_privacy_demands.py::test_an_answer_that_others_may_get_carries_no_id",
    ),
    50: (
        "test_abuse.py::test_the_id_cookie_is_small",
        "test_session_rules.py::test_the_longest_cookie_stays_below_120_characters",
    ),
    51: "test_abuse.py::test_a_signature_is_compared_in_constant_time",
    52: (
        "test_exchange.py::test_cookies_on_several_lines_are_joined",
        "test_privacy_demands.py::test_cookies_on_two_lines_of_http_2_name_the_visitor",
    ),
    53: (
        "test_session_rules.py::test_each_rule_ends_a_visit",
        "test_visits.py::test_each_system_goes_on_by_its_own_rules",
        "test_visits.py::test_visits_are_cut_by_the_rules_in_the_row",
    ),
    54: (
        "test_visits.py::test_the_visit_that_google_is_told_stays_the_same_over_a_campaign",
    ),
    55: (
        "test_visitors.py::test_a_visit_ends_after_thirty_idle_minutes",
        "test_visitors.py::test_a_view_every_four_minutes_stays_one_visit_for_three_hours",
        "test_visitors.py::test_the_cookie_is_written_again_only_when_its_time_is_old",
        "test_privacy_demands.py::test_a_gap_of_half_an_hour_ends_no_visit_and_a_longer_one_always_does",
    ),
    56: (
        "test_visitors.py::test_a_clock_that_jumps_back_breaks_nothing",
        "test_cookieless.py::test_a_clock_that_goes_back_ends_no_visit",
    ),
    57: "test_own_cookie.py::test_a_copy_of_the_cookie_is_worth_nothing_on_another_site",
    58: (
        "test_abuse.py::test_no_header_of_a_call_has_a_line_break",
        "test_abuse.py::test_a_hostile_host_is_in_no_hit",
        "test_privacy_demands.py::test_nothing_hostile_becomes_a_header",
    ),
    59: "senders/test_transports.py::test_any_status_is_an_answer_and_no_redirect_is_followed",
    60: "test_abuse.py::test_a_visitor_writes_no_line_of_the_log",
    61: (
        "senders/test_transports.py::test_no_url_gets_into_any_log",
        "test_privacy_demands.py::test_no_form_of_anything_shows_a_secret",
        "test_privacy_demands.py::test_no_error_of_a_configuration_shows_a_secret",
        "test_privacy_demands.py::test_no_error_of_a_call_shows_a_secret",
        "test_privacy_demands.py::test_a_handler_finds_no_secret_where_it_looks",
    ),
    62: (
        "test_consent_endpoint.py::test_there_is_nothing_to_redirect_to",
        "test_own_cookie.py::test_only_a_post_of_the_site_itself_gets_the_cookie",
    ),
    63: (
        "test_own_cookie.py::test_only_a_post_of_the_site_itself_gets_the_cookie",
        "test_own_cookie.py::test_it_needs_a_permission",
        "test_consent_endpoint.py::test_only_the_site_itself_may_post",
    ),
    64: "faults/test_load_faults.py::test_big_hits_are_bounded_by_their_bytes",
    65: (
        "test_abuse.py::test_what_is_remembered_of_visitors_is_bounded",
        "test_cookieless.py::test_only_so_many_visits_are_remembered",
    ),
    66: (
        "test_abuse.py::test_whatever_fails_the_answer_stays_as_it_is",
        "test_privacy_demands.py::test_an_answer_stays_as_it_is_whatever_fails",
    ),
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
