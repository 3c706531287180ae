"""`DualGAFNet`: its parts, gradients, determinism, learning, and what it refuses."""

import json
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch.nn import functional as F

from dualgaf.errors import ConfigError, SeriesError
from dualgaf.models.attention import ChannelAttention
from dualgaf.models.extractors import EXTRACTORS, LargeKernelExtractor
from dualgaf.models.fusion import AdaptiveFusion
from dualgaf.models.heads import MLPHead
from dualgaf.models.minirocket.branch import MiniRocketBranch
from dualgaf.models.net import CHOICES, DualGAFNet
from dualgaf.models.statistics import KINDS, StatisticsBranch
from few_kernels import few_kernels

CONF = Path(__file__).resolve().parents[2] / "conf"


def windows(n: int, n_channels: int, size: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Images and series of random windows, by the formula of the fields."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, n_channels, size, generator=generator) * 2 - 1
    s = (1 - x * x).sqrt()
    gasf = x[..., :, None] * x[..., None, :] - s[..., :, None] * s[..., None, :]
    gadf = s[..., :, None] * x[..., None, :] - x[..., :, None] * s[..., None, :]
    return gasf, gadf, x


def half_and_half(n_channels: int, n_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows of noise, each class with a level and a pace of its own, and their classes."""
    label = torch.arange(8 * n_classes) % n_classes
    pace = (1 + label[:, None, None]) * torch.linspace(0, 6, 24)
    noise = torch.randn(len(label), n_channels, 24)
    return pace.sin() + label[:, None, None] + 0.1 * noise, label


IMAGES_ONLY = {"use_statistics": False, "use_minirocket": False, "use_forest": False}
# One option at a time away from the default, and some that meet each other.
OPTIONS: list[dict[str, Any]] = [
    *({"extractor": name, "width": 8} for name in EXTRACTORS),
    *(
        {name: choice, "arrangement": "per_signal", "width": 16}
        for name, choices in CHOICES.items()
        if name != "arrangement"
        for choice in choices
    ),
    {"use_statistics": False},
    {"use_minirocket": False},
    {"use_forest": False},
    {"arrangement": "per_signal", "attention": "channel", "width": 32},
    {"attention": "self", "statistics_fusion": "attention"},
    {"fields": "gasf", "attention": "none", **IMAGES_ONLY},
    {"fusion": "concat", "attention": "none", **IMAGES_ONLY},
    {"groups": {"first": {"channels": [0], "extractor": "inception"}}},
    {"groups": {"first": {"channels": [0]}}, "arrangement": "per_signal"},
    {"extractor": "diagonal", "fusion": "early"},
    {"extractor": "diagonal", "arrangement": "per_signal", "attention": "channel", "width": 32},
    {"fusion": "early", "groups": {"first": {"channels": [0]}}, "arrangement": "per_signal"},
]


def by_its_parts(
    net: DualGAFNet, gasf: torch.Tensor, gadf: torch.Tensor, series: torch.Tensor
) -> torch.Tensor:
    """Logits of the images and statistics, with each part called once for each image, signal by
    signal, where the network folds signals and fields into the batch."""
    told = net.settings
    n_channels, is_stacked = told["n_channels"], told["arrangement"] == "stacked"

    def of_signals(extractor: Any, images: list[torch.Tensor]) -> torch.Tensor:
        """The images (B, C, S, S) of one or two fields -> (B, V, W)."""
        own = getattr(extractor, "extractors", [extractor])
        groups = getattr(extractor, "channels", [list(range(n_channels))])
        vectors: dict[int, torch.Tensor] = {}
        for part, group in zip(own, groups, strict=True):
            for seen in [group] if is_stacked else [[signal] for signal in group]:
                channels = [field[:, signal] for signal in seen for field in images]
                vectors[len(vectors) if is_stacked else seen[0]] = part(torch.stack(channels, 1))
        return torch.stack([vectors[k] for k in sorted(vectors)], dim=1)

    if net.joint_extractor is not None:
        features = of_signals(net.joint_extractor, [gasf, gadf])
    else:
        pairs = ((net.gasf_extractor, gasf), (net.gadf_extractor, gadf))
        found = [of_signals(part, [images]) for part, images in pairs if part is not None]
        features = found[0] if net.fusion is None else net.fusion(*found)  # type: ignore[misc]
    features = net.attention(features)
    if net.statistics is None:
        return net.head(torch.cat(list(features.unbind(1)), dim=1))
    embedding = net.statistics(series)  # type: ignore[misc]
    if told["statistics_fusion"] == "concat":
        return net.head(torch.cat([*features.unbind(1), embedding], dim=1))
    fused = net.statistics_fusion.fusion(features, torch.stack([embedding] * features.shape[1], 1))
    return net.head(torch.cat(list(fused.unbind(1)), dim=1))


SIZES = [(2, 3), (5, 20), (24, 2), (26, 3), (33, 2), (50, 3)]


@pytest.mark.parametrize(
    ("number", "options"),
    list(enumerate(OPTIONS)),
    ids=lambda given: ",".join(given) if isinstance(given, dict) else None,
)
def test_every_option_is_its_parts_learns_and_builds_a_twin(
    number: int, options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    size, n_channels = SIZES[number % len(SIZES)]
    net = DualGAFNet(n_channels, 4, dropout=0.0, **options)
    made = windows(6, n_channels, size)
    logits = net(*made)
    assert logits.shape == (6, 4)
    # Every weight is reached ...
    F.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0, 1])).backward()
    unreached = [
        name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert unreached == []
    # ... the network is its parts, put together as the options say ...
    net.eval()
    with torch.no_grad():
        wanted = by_its_parts(net, *made)
        torch.testing.assert_close(net.by_images(*made), wanted, atol=1e-4, rtol=1e-4)
        # ... and its settings build the same network again.
        twin = DualGAFNet(**net.settings)
        assert twin.settings == net.settings
        for key in options.keys() - {"groups"}:
            assert net.settings[key] == options[key]
        twin.load_state_dict(net.state_dict())
        assert torch.equal(twin.eval()(*made), net(*made))
        if not (net.statistics or net.apart):
            assert torch.equal(net(*made[:2]), net(*made))  # no series is needed


def parts_of(net: DualGAFNet) -> dict[str, list[object]]:
    """What tells one choice from another: types and lengths of modules, functions they call."""
    kind = net.statistics.statistics if net.statistics is not None else None
    made = {
        "fusion": net.fusion,
        "attention": net.attention,
        "head": net.head,
        "statistics_fusion": net.statistics_fusion,
    }
    parts: dict[str, list[object]] = {
        name: [
            (type(m), getattr(m, "operation", None), getattr(m, "out_features", None))
            for m in (part.modules() if isinstance(part, torch.nn.Module) else ())
        ]
        for name, part in made.items()
    }
    return {**parts, "statistics": [kind]}


@pytest.mark.parametrize(
    "option", ["fusion", "attention", "head", "statistics", "statistics_fusion"]
)
def test_every_choice_changes_its_part_and_no_other(option: str) -> None:
    built = [parts_of(DualGAFNet(3, 4, **{option: name})) for name in CHOICES[option]]
    for other in built[0]:
        different = {tuple(map(repr, parts[other])) for parts in built}
        assert len(different) == (len(built) if other == option else 1), other


LARGE_KERNELS: dict[str, Any] = {
    "extractor": "large_kernel",
    "arrangement": "per_signal",
    "attention": "channel",
    "width": 32,
}


@pytest.mark.parametrize(
    ("n_channels", "options", "extractor", "fusion"),
    [
        (1, {}, "large_kernel", "adaptive"),
        (2, {}, "diagonal", "early"),
        (2, {"extractor": "inception"}, "inception", "adaptive"),
        (2, {"fusion": "gated"}, "diagonal", "gated"),
        (1, {"extractor": "diagonal"}, "diagonal", "early"),
    ],
)
def test_what_is_left_open_goes_by_the_number_of_signals(
    n_channels: int, options: dict[str, Any], extractor: str, fusion: str
) -> None:
    settings = DualGAFNet(n_channels, 4, **options).settings
    assert (settings["extractor"], settings["fusion"]) == (extractor, fusion)


def test_the_order_of_random_numbers_is_that_of_the_parts() -> None:
    # A seed gives its result, and names in a checkpoint are where they were.
    torch.manual_seed(0)
    parts = {
        "gasf_extractor": LargeKernelExtractor(32),
        "gadf_extractor": LargeKernelExtractor(32),
        "fusion": AdaptiveFusion(32),
        "attention": ChannelAttention(3),
        "statistics": StatisticsBranch(3, 32),
        "head": MLPHead(32 * 4, 4, hidden=64, dropout=0.2),
        "minirocket": MiniRocketBranch(3, 4),
    }
    torch.manual_seed(0)
    net = DualGAFNet(3, 4, **LARGE_KERNELS)
    assert not net.state_dict()["forest._extra_state"].numel()  # it draws nothing before it learns
    wanted = {f"{at}.{k}": v for at, part in parts.items() for k, v in part.state_dict().items()}
    got = {k: v for k, v in net.state_dict().items() if k != "forest._extra_state"}
    assert list(got) == list(wanted)
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("apart", [(), ("kernels",), ("forest",), ("kernels", "forest")])
def test_probabilities_are_an_ensemble_outside_training(
    monkeypatch: pytest.MonkeyPatch, apart: tuple[str, ...]
) -> None:
    few_kernels(monkeypatch)
    options = {"use_minirocket": "kernels" in apart, "use_forest": "forest" in apart}
    net, made = DualGAFNet(3, 4, dropout=0.0, **options, **LARGE_KERNELS), windows(2, 3, 24)
    for part in net.children():
        part.eval()
    images = by_its_parts(net, *made)
    assert tuple(net.apart) == apart
    # Before they have learned anything they have no say.
    torch.testing.assert_close(net.eval()(*made).softmax(dim=1), images.softmax(dim=1))
    for name, branch in net.apart.items():
        others = {"others": len(apart)} if name == "forest" else {}
        branch.fit(*half_and_half(3, 4), **others)
    net.training = True
    torch.testing.assert_close(net(*made), images, atol=1e-5, rtol=1e-5)  # in training: without
    members = [images, *(branch(made[2]) for branch in net.apart.values())]
    wanted = torch.stack([member.softmax(dim=1) for member in members])
    torch.testing.assert_close(net.eval()(*made).softmax(dim=1), wanted.mean(dim=0))
    found = list(net.contributions(images, made[2]).values())
    torch.testing.assert_close(torch.stack(found), wanted / len(members))


def test_more_signals_cost_few_parameters() -> None:
    few, many = (
        sum(p.numel() for p in DualGAFNet(c, 4, extractor="large_kernel").parameters())
        for c in (3, 53)
    )
    # 50 signals more: 8 features of each in the mix of either field, 5 statistics of each
    assert many - few == 50 * (2 * 8 * 32 + 5 * 64)


def test_the_settings_are_plain_values() -> None:
    net = DualGAFNet(3, 4, groups={"a": {"channels": ["x", "z"]}}, channel_names=["x", "y", "z"])
    assert json.loads(json.dumps(net.settings)) == net.settings


@pytest.mark.parametrize("fields", ["gasf", "gadf"])
def test_a_field_that_is_left_out_changes_nothing(fields: str) -> None:
    net = DualGAFNet(3, 4, fields=fields).eval()
    gasf, gadf, series = windows(2, 3, 24)
    other = (gasf, -gadf, series) if fields == "gasf" else (-gasf, gadf, series)
    assert torch.equal(net(*other), net(gasf, gadf, series))
    used = (-gasf, gadf, series) if fields == "gasf" else (gasf, -gadf, series)
    assert not torch.allclose(net(*used), net(gasf, gadf, series), atol=1e-4)


def test_stacked_signals_meet_in_the_first_layer() -> None:
    net = DualGAFNet(3, 4, extractor="large_kernel", use_statistics=False)
    assert net.gasf_extractor.mix[0].in_channels == 3 * 8  # type: ignore[union-attr,index]
    assert net.head.layers[0].normalized_shape == (64,)  # type: ignore[union-attr,index]


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_batch_of_one_trains_where_its_maps_are_of_one_pixel(n_channels: int) -> None:
    # Normalisation over such a batch would leave nothing; torch refuses it.
    net = DualGAFNet(n_channels, 2, dropout=0.0).train()
    logits = net(*windows(1, n_channels, 2))
    logits.sum().backward()
    assert torch.isfinite(logits).all()


def test_a_row_does_not_depend_on_the_other_rows_of_its_batch() -> None:
    net = DualGAFNet(3, 2).eval()
    batch = windows(3, 3, 24)
    row = net(*[part[:1] for part in batch])
    torch.testing.assert_close(row, net(*batch)[:1], atol=1e-5, rtol=1e-5)


def test_eval_is_deterministic_and_train_drops() -> None:
    net = DualGAFNet(3, 4, dropout=0.5)
    batch = windows(2, 3, 26)
    assert not torch.equal(net(*batch), net(*batch))
    net.eval()
    assert torch.equal(net(*batch), net(*batch))


def test_each_field_has_its_own_weights() -> None:
    net = DualGAFNet(3, 4, fusion="adaptive").eval()
    gasf, gadf, series = windows(2, 3, 26)
    gasf_weights = {id(p) for p in net.gasf_extractor.parameters()}
    assert gasf_weights.isdisjoint(id(p) for p in net.gadf_extractor.parameters())
    assert not torch.allclose(net(gasf, gadf, series), net(gadf, gasf, series), atol=1e-4)


def test_early_has_one_extractor_for_both_fields_and_its_own_for_one() -> None:
    net = DualGAFNet(3, 4, fusion="early")
    assert (net.gasf_extractor, net.gadf_extractor, net.fusion) == (None, None, None)
    assert net.joint_extractor is not None
    one = DualGAFNet(3, 4, fusion="early", fields="gadf")
    assert one.joint_extractor is None
    assert one.gadf_extractor is not None


def test_the_order_of_the_signals_matters() -> None:
    # All signals share the first layer, but a fault of signal 0 is not a fault of signal 1.
    net = DualGAFNet(3, 4, use_statistics=False, use_minirocket=False, use_forest=False).eval()
    gasf, gadf, _ = windows(1, 3, 26)
    assert not torch.allclose(net(gasf, gadf), net(gasf.flip(1), gadf.flip(1)), atol=1e-5)


def test_statistics_tell_windows_apart_whose_images_are_equal() -> None:
    gasf, gadf, series = windows(1, 3, 26)
    net = DualGAFNet(3, 4).eval()
    assert not torch.allclose(net(gasf, gadf, series), net(gasf, gadf, 5 * series), atol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 16},
        {
            "extractor": "inception",
            "arrangement": "per_signal",
            "width": 16,
            "fusion": "bidirectional",
            "attention": "cbam",
            "head": "residual_dense",
            "statistics": "comprehensive",
            "statistics_fusion": "attention",
        },
        {
            "extractor": "resnet18_gaf_light",
            "arrangement": "per_signal",
            "attention": "self",
            "head": "simple",
            "fields": "gadf",
            "width": 16,
        },
    ],
    ids=",".join,
)
def test_it_learns_a_tiny_batch_by_heart(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    net = DualGAFNet(2, 4, dropout=0.0, use_minirocket=False, use_forest=False, **options)
    batch, label = windows(8, 2, 16), torch.tensor([0, 1, 2, 3] * 2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(*batch), label)
        loss.backward()
        optimizer.step()
    assert F.cross_entropy(net(*batch), label) < 0.05


def test_settings_are_a_copy() -> None:
    net = DualGAFNet(3, 4)
    net.settings["width"] = 999
    assert net.settings["width"] != 999


@pytest.mark.parametrize("option", ["extractor", *CHOICES])
def test_an_unknown_option_is_refused_at_construction(option: str) -> None:
    choice: dict[str, Any] = {option: "nonesuch"}
    with pytest.raises(ConfigError, match=f"{option}='nonesuch' is not known; allowed: "):
        DualGAFNet(3, 4, **choice)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_channels": 0},
        {"n_channels": True},
        {"n_channels": 2.5},
        {"num_classes": 1},
        {"width": 12},
        {"width": 0},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": None},
        {"budget_gflop": None, "extractor": "largest"},
    ],
)
def test_a_number_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    (option, value), *_ = wrong.items()
    with pytest.raises(ConfigError, match=f"{option}={value} is not allowed; allowed: "):
        DualGAFNet(**{"n_channels": 3, "num_classes": 4, **wrong})


@pytest.mark.parametrize(
    ("gasf", "gadf", "named"),
    [
        ((2, 5, 8, 8), (2, 5, 8, 8), r"\(2, 5, 8, 8\).*\(B, 3, S, S\)"),
        ((3, 8, 8), (3, 8, 8), r"\(3, 8, 8\).*\(B, 3, S, S\)"),
        ((2, 3, 8, 9), (2, 3, 8, 9), r"\(2, 3, 8, 9\).*\(B, 3, S, S\)"),
        ((2, 3, 8, 8), (2, 3, 7, 7), r"\(2, 3, 8, 8\).*\(2, 3, 7, 7\)"),
    ],
)
def test_a_wrong_image_shape_names_got_and_needed(
    gasf: tuple[int, ...], gadf: tuple[int, ...], named: str
) -> None:
    with pytest.raises(SeriesError, match=named):
        DualGAFNet(3, 4)(torch.zeros(gasf), torch.zeros(gadf), torch.zeros(2, 3, 8))


@pytest.mark.parametrize("arrangement", ["stacked", "per_signal"])
@pytest.mark.parametrize("size", [4, 20, 64])
def test_the_pixels_that_are_read_give_what_the_images_give(arrangement: str, size: int) -> None:
    torch.manual_seed(0)
    net = DualGAFNet(
        2, 3, width=8, arrangement=arrangement, use_minirocket=False, use_forest=False
    ).eval()
    gasf, gadf, series = windows(3, 2, size)
    pixels = net.read_pixels(gasf, gadf, series)
    assert pixels is not None
    row, column = pixels
    assert row.shape == column.shape == (6, size)
    bands = (image[:, :, row, column] for image in (gasf, gadf))
    wanted = net(gasf, gadf, series)
    assert torch.equal(net(*bands, series, bands=True), wanted)
    # No other pixel counts.
    other = torch.ones(size, size)
    other[row, column] = 0
    assert torch.equal(net(gasf + other, gadf - other, series), wanted)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 65),  # averaged down before it is read
        ({"extractor": "large_kernel"}, 20),
        ({"extractor": "large_kernel", "fusion": "early"}, 20),
        ({"fusion": "adaptive"}, 20),
        ({"fields": "gasf"}, 20),
        ({"groups": {"a": {"channels": [0]}}}, 20),
    ],
)
def test_other_networks_may_read_any_pixel(options: dict[str, Any], size: int) -> None:
    net = DualGAFNet(2, 3, width=8, use_minirocket=False, use_forest=False, **options)
    assert net.read_pixels(*windows(2, 2, size)) is None


def test_a_missing_series_says_what_to_do() -> None:
    image = torch.zeros(2, 3, 8, 8)
    with pytest.raises(SeriesError) as error:
        DualGAFNet(3, 4, use_statistics=True)(image, image)
    assert str(error.value) == (
        "series is missing, which use_statistics=true, use_minirocket=true and use_forest=true "
        "need; call net(gasf, gadf, series) or build the net with use_statistics=False, "
        "use_minirocket=False, use_forest=False"
    )


@pytest.mark.parametrize("shape", [(2, 3), (1, 3, 8), (2, 4, 8)])
def test_a_wrong_series_shape_names_got_and_needed(shape: tuple[int, ...]) -> None:
    image = torch.zeros(2, 3, 8, 8)
    with pytest.raises(SeriesError) as error:
        DualGAFNet(3, 4)(image, image, torch.zeros(shape))
    assert str(error.value) == f"series has shape {shape}; needed: (2, 3, T)"


@pytest.mark.parametrize("file", sorted((CONF / "model").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_file_of_conf_builds_a_network(file: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=["paths.run_dir=run", f"model={file.stem}"])
    if file.stem == "timm":
        if find_spec("timm") is None:
            with pytest.raises(ConfigError, match="type pip install timm"):
                instantiate(cfg.model)(n_channels=12, num_classes=4)
            return
        cfg.model.image_size = 32
    net = instantiate(cfg.model)(n_channels=12, num_classes=4)
    with torch.no_grad():
        assert net(*windows(2, 12, 24)).shape == (2, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_can_be_pickled(kind: str) -> None:
    net = DualGAFNet(3, 4, statistics=kind, width=8).eval()
    twin = pickle.loads(pickle.dumps(net))
    made = windows(2, 3, 13)
    assert torch.equal(twin(*made), net(*made))


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_those_of_whole_precision(kind: str) -> None:
    branch, series = StatisticsBranch(3, 8, kind), torch.randn(4, 3, 20) + 100.0
    seen: list[torch.Tensor] = []
    branch.embed.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    branch(series)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        branch(series)
    assert torch.equal(seen[0], seen[1])
