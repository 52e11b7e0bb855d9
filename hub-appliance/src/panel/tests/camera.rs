//! The pairing picture through a poor camera: can a phone read it?

use std::io::Write as _;
use std::process::Command;

use super::*;

/// Camera pixels for a pixel of the panel.
const ZOOM: f64 = 1.3;
/// Camera pixels around the panel.
const SURROUND: f64 = 14.0;
/// 5°.
const TILT: f64 = 5.0 * std::f64::consts::PI / 180.0;
/// How much smaller one side looks, for each pixel of the panel.
const PERSPECTIVE: f64 = 0.0008;
const DARK: f64 = 30.0;
const LIT: f64 = 215.0;
/// Pictures that a phone takes in a third of a second.
const TAKES: u64 = 10;
/// The most that noise adds or takes.
const NOISE: u64 = 24;
/// Where around its centre a camera pixel gathers light, in camera pixels: more than its own place, so it blurs.
const SAMPLES: [f64; 7] = [-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9];

/// A grey picture, row-major.
struct Photo {
    width: usize,
    height: usize,
    grey: Vec<u8>,
}

impl Photo {
    /// Small, tilted, in perspective, blurred and noisy; each take has a noise of its own.
    fn of(frame: &Frame, take: u64) -> Self {
        let [width, height] =
            [Frame::WIDTH, frame.height()].map(|side| (f64::from(side) * ZOOM + 2.0 * SURROUND) as usize);
        let mut noise = take;
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let grey = places.map(|(x, y)| {
            let centre = (
                x as f64 + 0.5 - width as f64 / 2.0,
                y as f64 + 0.5 - height as f64 / 2.0,
            );
            // Knuth's MMIX generator: the same noise for a take each time.
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let grain = ((noise >> 33) % (2 * NOISE + 1)) as f64 - NOISE as f64;
            (gather(frame, centre) + grain).clamp(0.0, 255.0) as u8
        });
        let grey = grey.collect();
        Self { width, height, grey }
    }

    fn read_by_rqrr(&self) -> Option<String> {
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(self.width, self.height, |x, y| self.grey[y * self.width + x]);
        image
            .detect_grids()
            .iter()
            .find_map(|grid| grid.decode().ok())
            .map(|(_, text)| text)
    }

    fn read_by_zbar(&self) -> Option<String> {
        let mut file = tempfile::NamedTempFile::with_suffix(".pgm").unwrap();
        writeln!(file, "P5 {} {} 255", self.width, self.height).unwrap();
        file.write_all(&self.grey).unwrap();
        let output = Command::new("zbarimg")
            .args(["--quiet", "--raw"])
            .arg(file.path())
            .output();
        let output = output.expect("this test needs zbarimg, of Debian's package zbar-tools");
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.trim_end().to_owned())
    }
}

/// The light that falls on the camera around a place, given from the picture's centre.
fn gather(frame: &Frame, (x, y): (f64, f64)) -> f64 {
    let around = SAMPLES.iter().flat_map(|dx| SAMPLES.iter().map(move |dy| (dx, dy)));
    let (light, weights) = around.fold((0.0, 0.0), |(light, weights), (dx, dy)| {
        let weight = (1.0 - dx.abs()) * (1.0 - dy.abs());
        (light + weight * seen(frame, x + dx, y + dy), weights + weight)
    });
    light / weights
}

/// What the camera sees in one point.
fn seen(frame: &Frame, x: f64, y: f64) -> f64 {
    let (x, y) = (x / ZOOM, y / ZOOM);
    let (x, y) = (x * TILT.cos() + y * TILT.sin(), y * TILT.cos() - x * TILT.sin());
    let depth = 1.0 + PERSPECTIVE * x;
    let (x, y) = (
        x / depth + f64::from(Frame::WIDTH) / 2.0,
        y / depth + f64::from(frame.height()) / 2.0,
    );
    if x >= 0.0 && y >= 0.0 && frame.is_lit(x as u32, y as u32) {
        LIT
    } else {
        DARK
    }
}

fn pairing_at(language: Language, address: &str, resolution: Resolution) -> Frame {
    let pairing = Some(PairingStatus {
        seconds_left: 117,
        keep_open: false,
    });
    let open = OpenStatus {
        address: Some(address.parse().unwrap()),
        pairing,
        ..open()
    };
    Desk::speaking(language, Phase::Open(open)).picture_on(resolution).0
}

/// What the code has to say: on a square display, which hub it is too.
fn code_for(address: &str, resolution: Resolution) -> String {
    let which = match resolution {
        Resolution::Wide => "",
        Resolution::Square => {
            r#","id":"0190a5b2-7c3e-7abc-8def-0123456789ab","pk":"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo""#
        }
    };
    format!(r#"{{"type":"sync_hub","url":"http://{address}"{which}}}"#)
}

#[test]
fn two_readers_read_every_pairing_picture() {
    let addresses = [
        "1.1.1.1:1",
        "10.0.0.7:4001",
        "192.168.1.50:4001",
        "255.255.255.255:65535",
    ];
    for (language, resolution) in Language::ALL
        .into_iter()
        .flat_map(|language| Resolution::ALL.map(|of| (language, of)))
    {
        for address in addresses {
            let frame = pairing_at(language, address, resolution);
            let expected = Some(code_for(address, resolution));
            let by_zbar = Photo::of(&frame, 1).read_by_zbar();
            assert_eq!(by_zbar, expected, "zbar, {language:?}, {resolution:?}");
            // rqrr reads codes on paper and is at its limit here; a phone has many pictures a second to try.
            let by_rqrr = (1..=TAKES).find_map(|take| Photo::of(&frame, take).read_by_rqrr());
            assert_eq!(by_rqrr, expected, "rqrr, {language:?}, {resolution:?}");
        }
    }
}
