"""Two gateways with one instance name, which is for one alone."""

from typing import Any, cast

from pydantic import SecretStr
from structlog.testing import capture_logs

from harmonic_gateway.peers.namesakes import Namesakes
from harmonic_gateway.settings import GatewaySettings
from harmonic_runtime.bus.directory import Directory
from harmonic_runtime.bus.wire import Message
from harmonic_runtime.observability.logs import get_log
from harmonic_runtime.observability.metrics import Metrics
from harmonic_runtime.observability.sampling import SampledLog
from harmonic_runtime.process.clock import SystemClock


class Bus:
    """Has nothing to say."""

    connected = True

    def forget(self, _question: str) -> None:
        pass


class Scene:
    """A gateway ``own`` of the name ``g1``, and what it hears of others."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.directory = Directory(cast("Any", Bus()), "gateway", ttl_s=6, ticks=4)
        settings = GatewaySettings(jwt_secret=SecretStr("a secret of the tests"), instance="g1")
        self.namesakes = Namesakes(
            self.directory,
            settings,
            "own",
            metrics=self.metrics,
            log=SampledLog(get_log(), SystemClock()),
        )

    def hears(self, gateway_id: str, **headers: str) -> None:
        self.directory.hear(Message("hu.alive.gateway", gateway_id.encode(), headers, ""))

    def looks(self) -> list[Any]:
        """What is logged when names are compared."""
        with capture_logs() as logs:
            self.namesakes.look()
        return [line["other"] for line in logs if line["event"] == "instance_name_taken"]

    @property
    def counted(self) -> float | None:
        return self.metrics.registry.get_sample_value("harmonic_gateways_of_this_name")


def test_another_gateway_of_the_name_is_noticed_counted_and_logged_once() -> None:
    scene = Scene()
    scene.hears("own", **{"Hu-Instance": "g1"})
    scene.hears("other", **{"Hu-Instance": "g1"})

    assert scene.looks() == ["other"]
    assert scene.counted == 1
    assert scene.looks() == []
    assert scene.counted == 1


def test_gateways_of_other_names_or_of_none_are_not() -> None:
    scene = Scene()
    scene.hears("own", **{"Hu-Instance": "g1"})
    scene.hears("second", **{"Hu-Instance": "g2"})
    # Of a version that does not say its name.
    scene.hears("third")

    assert scene.looks() == []
    assert scene.counted == 0


def test_it_is_over_once_the_other_leaves() -> None:
    scene = Scene()
    scene.hears("other", **{"Hu-Instance": "g1"})
    scene.looks()
    scene.hears("other", Leaving="yes")
    scene.looks()

    assert scene.counted == 0
