"""Which signals pass through which extractor, and how.

- ``per_signal``: one extractor is shared by the signals, (B, C, F, S, S) -> (B, C, W);
- ``stacked``: one extractor sees all signals as its input channels, -> (B, 1, W);
- with groups, each group has an extractor of its own and one of the two happens within it. Signals
  in no group are one more group. ``per_signal`` still gives (B, C, W), in the order of the signals;
  ``stacked`` gives (B, G, W), in the order of the groups.

F are the fields that go through the extractor together: 1, or 2 with ``fusion=early``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from dualgaf.errors import ConfigError, unknown_choice

ExtractorMaker = Callable[[str | None, int], nn.Module]
"""(name of a group's extractor or None, in_channels) -> module."""


def per_signal(extractor: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(B, C, F, S, S) -> (B, C, W): every signal's images through the same extractor."""
    features = extractor(images.flatten(0, 1))  # (B C, F, S, S) -> (B C, W)
    return features.view(*images.shape[:2], -1)


def stacked(extractor: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """(B, C, F, S, S) -> (B, 1, W): all signals at once."""
    features = extractor(images.flatten(1, 2))
    return features.unsqueeze(1)


ARRANGEMENTS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "per_signal": per_signal,
    "stacked": stacked,
}
"""What ``arrangement=`` may name."""


@dataclass(frozen=True)
class SignalGroup:
    """Signals that share an extractor."""

    channels: tuple[int, ...]
    """Their numbers, from 0."""
    extractor: str | None = None
    """Name of the extractor; None = the one of the network."""

    @property
    def settings(self) -> dict[str, Any]:
        """The group as `resolve_groups` takes it, in plain values."""
        return {"channels": list(self.channels), "extractor": self.extractor}


class GroupedExtractor(nn.Module):
    """One extractor for each group of signals.

    Args:
        channels: the signals of each group; each signal is in one.
        extractors: their extractors, in the same order.
        arrangement: a name in `ARRANGEMENTS`, within each group.

    Example:
        >>> mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        >>> grouped = GroupedExtractor([(0, 2), (1,)], [mean, mean], "per_signal")
        >>> grouped(torch.arange(3.0).view(1, 3, 1, 1, 1)).flatten().tolist()
        [0.0, 1.0, 2.0]
    """

    order: Tensor

    def __init__(
        self,
        channels: Sequence[tuple[int, ...]],
        extractors: Sequence[nn.Module],
        arrangement: str,
    ) -> None:
        super().__init__()
        self.channels = [list(group) for group in channels]
        self.extractors = nn.ModuleList(extractors)
        self.arrange = ARRANGEMENTS[arrangement]
        listed = torch.tensor([channel for group in channels for channel in group])
        self.register_buffer("order", listed.argsort(), persistent=False)
        self.in_order = arrangement == "per_signal"

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, F, S, S) -> (B, C, W) per signal, (B, G, W) stacked."""
        features = torch.cat(
            [
                self.arrange(extractor, images[:, channels])
                for extractor, channels in zip(self.extractors, self.channels, strict=True)
            ],
            dim=1,
        )
        return features[:, self.order] if self.in_order else features


def resolve_groups(
    groups: Mapping[str, Any], n_channels: int, channel_names: Sequence[str] | None
) -> dict[str, SignalGroup]:
    """Groups as they are typed -> groups of numbered signals.

    Args:
        groups: a mapping for each name: ``channels``, a list of numbers, names, or patterns of
            names such as ``*_temp``; and, if wanted, ``extractor``.
        n_channels: signals C.
        channel_names: their C names; needed where a group has names.

    Returns:
        The groups in the order given.

    Raises:
        ConfigError: a group is empty, has an unknown key or signal, or a signal is in two groups.

    Example:
        >>> resolve_groups({"air": {"channels": ["*_temp", 3]}}, 4, ["a_temp", "x", "b_temp", "y"])
        {'air': SignalGroup(channels=(0, 2, 3), extractor=None)}
    """
    found: dict[str, SignalGroup] = {}
    owner: dict[int, str] = {}
    for name, told in groups.items():
        option = f"model.groups.{name}"
        listed = told.get("channels") if isinstance(told, Mapping) else None
        if not isinstance(listed, Sequence) or isinstance(listed, str):
            raise ConfigError(
                f"{option}={told!r} has no channels; {_free(name, owner, n_channels)}"
            )
        for key in set(told) - {"channels", "extractor"}:
            raise ConfigError(unknown_choice(f"{option}: key", key, ("channels", "extractor")))
        channels: list[int] = []
        for wanted in listed:
            channels += _numbers(option, wanted, n_channels, channel_names)
        for channel in channels:
            if channel in owner:
                raise ConfigError(
                    f"{option}.channels has signal {channel}, which is in the group "
                    f"{owner[channel]} already; allowed: each signal once"
                )
            owner[channel] = name
        if not channels:
            raise ConfigError(f"{option}.channels is empty; {_free(name, owner, n_channels)}")
        found[str(name)] = SignalGroup(tuple(channels), told.get("extractor"))
    return found


def _free(name: object, owner: Mapping[int, str], n_channels: int) -> str:
    """What to type for a group without channels: signals that are in no group before it."""
    free = [channel for channel in range(n_channels) if channel not in owner][:2]
    if not free:
        return f"every signal has a group already; leave {name} out"
    return f"type ++model.groups.{name}.channels={str(free).replace(' ', '')}"


def all_groups(groups: Mapping[str, SignalGroup], n_channels: int) -> list[SignalGroup]:
    """The groups, and one of the signals that are in none.

    Example:
        >>> all_groups({"air": SignalGroup((1,))}, 3)[-1]
        SignalGroup(channels=(0, 2), extractor=None)
    """
    taken = {channel for group in groups.values() for channel in group.channels}
    rest = tuple(channel for channel in range(n_channels) if channel not in taken)
    return [*groups.values(), *([SignalGroup(rest)] if rest else [])]


def field_extractor(
    make: ExtractorMaker,
    groups: Sequence[SignalGroup],
    n_channels: int,
    arrangement: str,
    n_fields: int = 1,
) -> nn.Module:
    """The extractor of one field, or of both; one for each group where there are groups.

    Args:
        make: (name of the group's extractor or None, in_channels) -> module.
        groups: of all signals, or none.
        n_channels: signals C.
        arrangement: a name in `ARRANGEMENTS`.
        n_fields: fields that go through it together.
    """
    is_stacked = arrangement == "stacked"
    if not groups:
        return make(None, n_fields * (n_channels if is_stacked else 1))
    return GroupedExtractor(
        [group.channels for group in groups],
        [
            make(group.extractor, n_fields * (len(group.channels) if is_stacked else 1))
            for group in groups
        ],
        arrangement,
    )


def _numbers(
    option: str, wanted: object, n_channels: int, names: Sequence[str] | None
) -> list[int]:
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        if not 0 <= wanted < n_channels:
            raise ConfigError(
                f"{option}.channels has {wanted}; allowed: 0 to {n_channels - 1}, a number for "
                "each signal"
            )
        return [wanted]
    if names is None:
        raise ConfigError(
            f"{option}.channels has {wanted!r}, but the names of the signals are not known; pass "
            "channel_names, or type numbers from 0 on"
        )
    # A name may have brackets, which mean something in a pattern.
    matched = [
        i for i, name in enumerate(names) if name == wanted or fnmatchcase(name, str(wanted))
    ]
    if not matched:
        raise ConfigError(unknown_choice(f"{option}.channels", wanted, names))
    return matched
