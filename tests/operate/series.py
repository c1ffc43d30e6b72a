"""What a running service's ``/metrics`` shows, read back by Prometheus' own parser."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

#: A series: its name, and its labels in order.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """All series of a process at one moment."""

    values: Mapping[Series, float]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the series of this name that have these labels; 0 if there is none."""
        wanted = labels.items()
        return sum(
            value
            for (found, has), value in self.values.items()
            if found == name and wanted <= dict(has).items()
        )

    def labels(self, name: str) -> set[tuple[tuple[str, str], ...]]:
        """The labels of all series of this name."""
        return {has for found, has in self.values if found == name}


async def scrape(http: aiohttp.ClientSession, ops_url: str) -> Scrape:
    """What the process at this address shows now."""
    async with http.get(f"{ops_url}/metrics") as response:
        text = await response.text()
    return Scrape(
        {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )
