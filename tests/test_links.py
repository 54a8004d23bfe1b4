"""An agent and an engine for one host: whose picture is shown."""

import pytest
from msgspec.structs import replace

from archnest.errors import Conflict
from archnest.ingest import masked_picture
from archnest.links import FRESH_S, Link
from archnest.model.report import Engine, Report
from archnest.picture import AGENT, Picture


def picture(source: str, engine: str | None = "E", **fields: str) -> Picture:
    report = Report("nas", [], hostname=f"from-{source}", engine=Engine(id=engine))
    return replace(masked_picture(report, 1000.0, source), **fields)


class Clock:
    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        return self.now


def test_the_engine_is_shown_while_it_answers_and_the_agent_after() -> None:
    link, clock = Link("E"), Clock()
    first = link.joined(picture(AGENT), None, clock)
    live = link.joined(picture("docker-tcp"), first, clock)
    assert (live.source, live.hostname) == (AGENT, "from-agent")
    clock.now += FRESH_S
    pushed = picture(AGENT, received_at=1030.0, agent_version="2")  # type: ignore[arg-type]
    shown = link.joined(pushed, live, clock)
    assert (shown.received_at, shown.agent_version) == (live.received_at, "2")
    clock.now += 1
    assert link.joined(pushed, live, clock) is pushed


def test_another_engine_is_refused_whichever_of_both_changed() -> None:
    link = Link("E")
    with pytest.raises(Conflict, match="not one host"):
        link.check(picture("docker-tcp", engine="F"))
    link.check(picture("docker-tcp"))
    link.check(picture(AGENT, engine="F"))
    with pytest.raises(Conflict, match="not one host"):
        link.check(picture("docker-tcp"))
    link.check(picture(AGENT, engine=None))
    link.check(picture("docker-tcp", engine="F"))


def test_an_engine_that_is_no_longer_the_agents_is_not_shown() -> None:
    link, clock = Link("E"), Clock()
    live = link.joined(picture("docker-tcp"), None, clock)
    link.check(picture(AGENT, engine="F"))
    with pytest.raises(Conflict):
        link.check(picture("docker-tcp"))
    pushed = picture(AGENT, engine="F")
    assert link.joined(pushed, live, clock) is pushed
