"""The Flask adapter: the contract, and what is Flask's own."""

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    jsonify,
    redirect,
    render_template_string,
    request,
    send_file,
    url_for,
)
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from server_tracking import ConfigurationError, Tracker, current
from server_tracking.testing import FrameworkContract, RecordingSender
from server_tracking.testing.frameworks import BROWSER, HandledError, SiteError
from server_tracking_flask import (
    ServerTracking,
    consent,
    get_default_parameters,
    get_title,
    track_event,
)

GOOGLE = {"property": "G-XXXX", "api_secret": "made-up"}
KEY = "a secret key for tests"


def add(app, path, view):
    app.add_url_rule(path, path, view)


class TestFlask(FrameworkContract):
    kind = "wsgi"

    def make_app(self, tracker):
        app = Flask(__name__)
        self.add_pages(app)
        self.add_answers(app)
        self.add_events(app)
        part = Flask("part")
        part.get("/page")(lambda: self.page)
        app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/part": part})
        ServerTracking(app, tracker)
        return app

    def add_pages(self, app):
        def template():
            return render_template_string(self.template, title=self.template_title)

        @app.get("/by-hand")
        def by_hand():
            if (here := current()) is not None:
                here.title = "By hand"
            return template()

        @app.get("/cookie")
        def cookie():
            response = Response(self.page)
            response.set_cookie("theirs", "1")
            return response

        add(app, "/", lambda: self.page)
        add(app, "/template", template)
        add(app, "/plants/<name>", self.named)
        add(app, "/streamed/<name>", lambda name: Response(self.pieces(name)))
        add(app, "/file", lambda: send_file(self.file))

    def add_answers(self, app):
        def answer(path, body, status=200, headers=None):
            add(app, path, lambda: (body, status, headers or {}))

        answer("/gzip", self.zipped, headers={"Content-Encoding": "gzip"})
        answer("/empty", "", 204)
        answer("/unchanged", "", 304)
        answer("/cached", self.page, headers={"Cache-Control": "public, max-age=600"})
        add(app, "/redirect", lambda: redirect("/"))
        add(app, "/data", lambda: jsonify(fern=4))

        @app.post("/echo")
        def echo():
            return Response(request.get_data(), mimetype="text/plain")

        @app.get("/error")
        def error():
            raise SiteError("someone@example.com")

        @app.get("/handled")
        def handled():
            raise HandledError("someone@example.com")

        app.register_error_handler(HandledError, lambda error: (self.sorry, 500))

    def add_events(self, app):
        page, methods = self.page, ["GET", "POST"]

        @app.route("/events/function", methods=methods)
        @track_event("Basket", "function")
        def function():
            return page

        @app.get("/events/coroutine")
        @track_event("Basket", "coroutine")
        async def coroutine():
            return page

        class Plants:
            @track_event("Basket", "method")
            def method(self):
                return page

        class PlantView(MethodView):
            @track_event("Basket", "class")
            def get(self):
                return page

        @track_event("Basket", "generator")
        def pieces():
            yield page[:9]
            yield page[9:]

        @app.get("/events/background")
        def background():
            response = Response(page)
            response.call_on_close(track_event("Basket", "background")(lambda: None))
            return response

        add(app, "/events/method", Plants().method)
        add(app, "/events/class", PlantView.as_view("plants"))
        add(app, "/events/generator", lambda: Response(pieces()))


@pytest.fixture
def make_app(tracker):
    """Make a small site, tracked by `tracker` unless it has settings of its own."""

    def make(name="shop", **config):
        app = Flask(name)
        app.config.from_mapping(SECRET_KEY=KEY, **config)
        app.get("/")(lambda: f"<title>{name}</title>")
        ServerTracking(app, None if config else tracker)
        return app

    return make


def open_page(app, path="/"):
    # Without `buffered`, Flask leaves the answer open.
    return app.test_client().get(path, headers=BROWSER, buffered=True)


# Settings


def test_a_tracker_is_made_of_the_applications_settings(make_app):
    sender = RecordingSender()
    app = make_app(
        SERVER_SIDE_TRACKING={"sender": sender, "cookie_name": "who"},
        SERVER_SIDE_TRACKING_GA=GOOGLE,
    )

    answer = open_page(app)

    assert [hit.context.page.title for hit in sender.hits] == ["shop"]
    assert answer.headers["Set-Cookie"].startswith("who=")
    with app.app_context():
        assert ServerTracking().tracker.settings.secret_keys == (KEY,)


@pytest.mark.parametrize(
    ("name", "system"), [("G-XXXX", "google_analytics_4"), ("UA-1-1", "universal")]
)
def test_the_property_names_the_system(make_app, name, system):
    secret = {"api_secret": "x"} if name.startswith("G-") else {}
    app = make_app(SERVER_SIDE_TRACKING_GA={"property": name, **secret})

    with app.app_context():
        [found] = ServerTracking().tracker.systems
    assert found.name.startswith(system)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"SERVER_SIDE_TRACKING_GA": {}}, "needs a 'property'"),
        ({"SERVER_SIDE_TRACKING": {"cookie_nam": "x"}}, "did you mean 'cookie_name'"),
        ({"SECRET_KEY": "dev"}, "'secret_key': each key needs at least 8"),
    ],
)
def test_wrong_settings_are_refused_when_the_application_is_made(config, message):
    app = Flask("shop")
    app.config.from_mapping(config)

    with pytest.raises(ConfigurationError, match=message):
        ServerTracking(app)


def test_older_keys_of_the_application_still_verify(make_app):
    tracking = ServerTracking()
    app = Flask("shop")
    app.config.from_mapping(SECRET_KEY=b"a newer key", SECRET_KEY_FALLBACKS=[KEY])
    tracking.init_app(app)

    with app.app_context():
        assert tracking.tracker.settings.secret_keys == ("a newer key", KEY)


def test_the_sites_own_tests_send_nothing(make_app, monkeypatch):
    app = make_app(TESTING=True, SERVER_SIDE_TRACKING_GA=GOOGLE)
    with app.app_context():
        tracker = ServerTracking().tracker

    open_page(app)

    assert isinstance(tracker.sender, RecordingSender)
    assert len(tracker.sender.hits) == 1
    assert tracker.settings.strict


def test_an_application_is_tracked_once(make_app, tracker):
    with pytest.raises(ConfigurationError, match="'shop' is tracked already"):
        ServerTracking(make_app(), tracker)


# Applications, blueprints


def test_one_extension_serves_many_applications(sender):
    tracking, senders = ServerTracking(), []
    for name in ("shop", "blog"):
        app = Flask(name)
        senders.append(RecordingSender())
        options = {"sender": senders[-1], "secret_key": KEY}
        app.config["SERVER_SIDE_TRACKING"] = options
        app.get("/")(lambda name=name: render_template_string("x", title=name))
        tracking.init_app(app)
        open_page(app)

    titles = [[hit.context.page.title for hit in each.hits] for each in senders]
    assert titles == [["shop"], ["blog"]]


def test_outside_of_an_application_there_is_no_tracker():
    with pytest.raises(ConfigurationError, match="No Flask application"):
        _ = ServerTracking().tracker


def test_an_event_outside_of_a_request_goes_by_the_applications_tracker(
    make_app, sender
):
    with make_app().app_context():
        ServerTracking().tracker.event("Night", "Cleaned")

    assert [hit.category for hit in sender.hits] == ["Night"]


def test_the_route_of_a_blueprint_has_its_prefix(make_app, sender):
    plants = Blueprint("plants", __name__, url_prefix="/plants")
    plants.get("/<int:number>")(lambda number: "<p>")
    app = make_app()
    app.register_blueprint(plants)

    open_page(app, "/plants/4")

    assert sender.hits[0].context.page.route == "/plants/<int:number>"


# Titles


@pytest.mark.parametrize(
    ("variable", "title"), [("title", "A title"), ("heading", "A heading")]
)
def test_a_setting_names_the_variable_of_the_title(variable, title):
    sender, app = RecordingSender(), Flask("shop")
    app.config["SERVER_SIDE_TRACKING"] = {
        "sender": sender,
        "secret_key": KEY,
        "flask_title_variable": variable,
    }
    app.get("/")(
        lambda: render_template_string("x", title="A title", heading="A heading")
    )
    ServerTracking(app)

    open_page(app)

    assert [hit.context.page.title for hit in sender.hits] == [title]


def test_a_template_rendered_outside_of_a_request_does_no_harm(make_app, sender):
    with make_app().app_context():
        assert render_template_string("{{ title }}", title="Mail") == "Mail"

    assert sender.hits == []


def test_a_before_request_hook_that_answers_is_a_page_view(make_app, sender):
    # peers.md, row 35: other hooks may keep ours from running.
    app = make_app()
    app.before_request(lambda: "<title>Closed today</title>")

    open_page(app)

    assert [hit.context.page.title for hit in sender.hits] == ["Closed today"]
    assert sender.hits[0].context.page.route == "/"


@pytest.mark.parametrize("hook", ["before_request", "after_request"])
def test_an_error_in_a_hook_is_told_once(make_tracker, sender, hook):
    # peers.md, row 35: an error in a hook, before or after that of the page.
    app = Flask("shop")
    app.get("/")(lambda: "<title>A page</title>")
    getattr(app, hook)(lambda *_: {}["missing"])
    ServerTracking(app, make_tracker(pageview_server_exceptions=True))

    assert open_page(app).status_code == 500
    assert [hit.description for hit in sender.hits] == ["KeyError"]


def test_errors_reach_the_server_where_flask_hands_them_on(make_tracker, sender):
    app = Flask("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.get("/")(lambda: {}["missing"])
    ServerTracking(app, make_tracker(pageview_server_exceptions=True))

    with pytest.raises(KeyError):
        open_page(app)

    assert [hit.description for hit in sender.hits] == ["KeyError"]


# By hand


def test_parameters_by_hand_are_those_of_the_page_view(make_app, sender):
    app, found = make_app(), []

    @app.after_request
    def look(response):
        found.append(get_default_parameters(request, response))
        assert get_title(response) == "shop"
        return response

    answer = open_page(app)

    [hit] = sender.hits
    assert found[0].visitor == hit.context.visitor
    assert found[0].page.title == "shop"
    assert len(answer.headers.getlist("Set-Cookie")) == 1


def test_parameters_by_hand_need_no_middleware():
    app, tracker = Flask("bare"), Tracker(sender=RecordingSender(), secret_key=KEY)
    with app.test_request_context("/?utm_source=mail", headers=BROWSER):
        response = app.make_response("<title>Bare</title>")
        bare = get_default_parameters(request, settings=tracker.settings)
        full = get_default_parameters(request, response, settings=tracker.settings)

    assert bare.page.title is None
    assert bare.campaign.source == "mail"
    assert full.page.title == get_title(response) == "Bare"
    assert response.headers["Set-Cookie"].startswith("vn=1.")


# Commands


def test_the_systems_are_checked_at_the_command_line(make_app):
    app = make_app(SERVER_SIDE_TRACKING={}, SERVER_SIDE_TRACKING_GA=GOOGLE)

    done = app.test_cli_runner().invoke(args=["tracking", "check"])

    assert done.exit_code == 0, done.output
    assert "google_analytics_4" in done.output
    assert "made-up" not in done.output


def test_without_a_system_there_is_nothing_to_check(make_app):
    done = make_app().test_cli_runner().invoke(args=["tracking", "check"])

    assert done.exit_code == 2
    assert "No analytics system" in done.output


@pytest.mark.parametrize(
    ("path", "answer"),
    [("/?a=b", "A page view."), ("/health", "No page view: excluded")],
)
def test_a_request_is_explained_at_the_command_line(make_app, sender, path, answer):
    done = make_app().test_cli_runner().invoke(args=["tracking", "explain", path])

    assert done.output.startswith(answer)
    assert sender.hits == []


# Consent

SCRIPT = {**BROWSER, "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors"}


@pytest.fixture
def asking_site(sender):
    """Make a site that asks before it tracks, with a route for the answer."""

    def make(**where):
        app = Flask("shop")
        app.get("/")(lambda: "<title>shop</title>")
        ServerTracking(
            app, Tracker(sender=sender, secret_key=KEY, consent_mode="opt-in")
        )
        app.register_blueprint(consent, **where)
        return app.test_client()

    return make


def decide(site, action, path="/consent", origin="same-origin"):
    headers = {**SCRIPT, "Sec-Fetch-Site": origin}
    return site.post(path, data={"action": action}, headers=headers, buffered=True)


def test_who_accepts_by_the_route_is_tracked_from_then_on(asking_site, sender):
    site = asking_site()
    site.get("/", headers=BROWSER, buffered=True)
    assert sender.hits == []

    answer = decide(site, "accept")
    for _ in range(2):
        site.get("/", headers=BROWSER, buffered=True)

    assert answer.status_code == 204
    assert site.get_cookie("cookie_status").value == "1"
    assert len([c for c in answer.headers.getlist("Set-Cookie") if c[:3] == "vn="]) == 1
    first, second = (hit.context for hit in sender.hits)
    assert first.page.title == "shop"
    assert first.visitor.client_id == second.visitor.client_id


def test_who_withdraws_by_the_route_is_forgotten(asking_site, sender):
    site = asking_site()
    decide(site, "accept")
    decide(site, "withdraw")
    site.get("/", headers=BROWSER, buffered=True)

    assert site.get_cookie("vn") is None
    assert sender.hits == []


def test_only_pages_of_the_site_may_post_to_the_route(asking_site):
    assert decide(asking_site(), "accept", origin="cross-site").status_code == 403


def test_the_route_has_the_script_and_may_be_elsewhere(asking_site, sender):
    site = asking_site(url_prefix="/privacy/choice")
    answer = site.get("/privacy/choice", headers=SCRIPT, buffered=True)

    assert answer.mimetype == "text/javascript"
    assert b"trackingConsent" in answer.data
    assert decide(site, "refuse", "/privacy/choice").status_code == 204
    assert site.get("/consent").status_code == 404
    with site.application.test_request_context():
        assert url_for("server_tracking.decide") == "/privacy/choice"
    assert sender.hits == []


def test_the_route_needs_an_application_that_is_tracked():
    app = Flask("shop")
    app.testing = True
    app.register_blueprint(consent)

    with pytest.raises(ConfigurationError, match="No Flask application"):
        app.test_client().get("/consent")
