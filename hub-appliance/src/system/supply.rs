//! How the board is supplied: whether its power is too weak, and whether it is too hot.
//!
//! A Raspberry Pi whose voltage falls below 4.63 V slows down, and a write that is under way on its card or stick may be
//! lost. Its firmware notices; Linux shows it as an alarm of the sensor `rpi_volt` (drivers/hwmon/raspberrypi-hwmon.c), and
//! the heat of the processor as a thermal zone. Above 80 °C the firmware slows the processor down.

use std::fs;
use std::path::{Path, PathBuf};

/// From here on the firmware slows the processor down, thousandths of a degree Celsius.
const TOO_HOT: i64 = 80_000;

/// Where the kernel shows it.
#[derive(Clone, Debug)]
pub struct Sensors {
    sys: PathBuf,
}

/// How it is with the board's supply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// The voltage is below what the board needs, or was in the last seconds.
    pub is_weak: bool,
    /// The processor is so hot that it is slowed down.
    pub is_hot: bool,
}

impl Supply {
    /// Whether something that writes much had better wait.
    #[must_use]
    pub const fn is_unfit_for_writing(self) -> bool {
        self.is_weak || self.is_hot
    }
}

impl Sensors {
    /// The sensors of the system whose kernel shows them below `sys`, which is `/sys`.
    #[must_use]
    pub fn below(sys: &Path) -> Self {
        Self { sys: sys.to_owned() }
    }

    /// What they say now. A board without them has no troubles that anybody could know of.
    #[must_use]
    pub fn look(&self) -> Supply {
        Supply {
            is_weak: self.alarms().any(|alarm| alarm != 0),
            is_hot: self.temperatures().any(|heat| heat >= TOO_HOT),
        }
    }

    fn alarms(&self) -> impl Iterator<Item = i64> {
        let sensors = entries(self.sys.join("class/hwmon"));
        let supplies = sensors.filter(|sensor| reads(&sensor.join("name")).as_deref() == Some("rpi_volt"));
        supplies.filter_map(|sensor| number(&sensor.join("in0_lcrit_alarm")))
    }

    fn temperatures(&self) -> impl Iterator<Item = i64> {
        let zones = entries(self.sys.join("class/thermal"));
        let processors = zones.filter(|zone| reads(&zone.join("type")).is_some_and(|kind| kind.starts_with("cpu")));
        processors.filter_map(|zone| number(&zone.join("temp")))
    }
}

fn entries(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

fn reads(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

fn number(file: &Path) -> Option<i64> {
    reads(file)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(sys: &Path, file: &str, text: &str) {
        let file = sys.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn a_board_without_sensors_has_no_troubles() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(Sensors::below(sys.path()).look(), Supply::default());
    }

    #[test]
    fn weak_power_and_heat_are_what_the_kernel_says() {
        let sys = tempfile::tempdir().unwrap();
        let sensors = Sensors::below(sys.path());
        // Another sensor's alarm is another's.
        put(sys.path(), "class/hwmon/hwmon0/name", "nvme\n");
        put(sys.path(), "class/hwmon/hwmon0/in0_lcrit_alarm", "1\n");
        put(sys.path(), "class/hwmon/hwmon1/name", "rpi_volt\n");
        put(sys.path(), "class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        put(sys.path(), "class/thermal/thermal_zone0/type", "cpu-thermal\n");
        put(sys.path(), "class/thermal/thermal_zone0/temp", "79999\n");
        assert_eq!(sensors.look(), Supply::default());
        put(sys.path(), "class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        let weak = Supply {
            is_weak: true,
            is_hot: false,
        };
        assert_eq!(sensors.look(), weak);
        assert!(weak.is_unfit_for_writing());
        put(sys.path(), "class/thermal/thermal_zone0/temp", "80000\n");
        put(sys.path(), "class/hwmon/hwmon1/in0_lcrit_alarm", "what\n");
        assert_eq!(
            sensors.look(),
            Supply {
                is_weak: false,
                is_hot: true
            }
        );
    }
}
