"""What is told of losses: all of them, and not too often."""

from server_tracking.senders.losses import LossNews


def test_the_first_loss_is_told_at_once_and_the_next_after_the_period():
    news = LossNews(60.0)

    assert news.of("a", {}, 0.0) == {}
    assert news.of("a", {"expired": 2}, 1.0) == {"expired": 2}
    assert news.due() is None
    assert news.of("a", {"expired": 2}, 2.0) == {}
    assert news.of("a", {"expired": 5, "refused": 1}, 3.0) == {}
    assert news.due() == 61.0
    assert news.of("a", {"expired": 5, "refused": 1}, 61.0) == {
        "expired": 3,
        "refused": 1,
    }
    assert news.due() is None


def test_each_lane_has_its_own_time():
    news = LossNews(60.0)
    news.of("a", {"expired": 1}, 0.0)

    assert news.of("b", {"expired": 1}, 1.0) == {"expired": 1}


def test_without_a_period_all_is_told_at_once():
    news = LossNews(0.0)

    assert news.of("a", {"expired": 1}, 1.0) == {"expired": 1}
    assert news.of("a", {"expired": 2}, 1.0) == {"expired": 1}
