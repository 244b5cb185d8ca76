//! Colours that go together.

use super::Scene;
use super::noise::Dice;

/// Red, green, blue in 1/256 of a step (0–65280).
pub(super) type Color = [i64; 3];

/// The colours of one picture.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// From the zenith to the horizon.
    pub(super) sky: [Color; 4],
    /// Sun, moon, highlights.
    pub(super) light: Color,
    /// The farthest and the nearest ground.
    pub(super) far: Color,
    pub(super) near: Color,
    /// Whether stars are out.
    pub(super) night: bool,
}

/// Sky (four), light, far, near; night.
type Row = ([u32; 4], u32, u32, u32, bool);

const DAWN: Row =
    ([0x27_2d60, 0x6f_529b, 0xe8_92a2, 0xff_dba6], 0xff_f6df, 0xc0_8fae, 0x1e_1b3c, false);
const SUNSET: Row =
    ([0x2b_1055, 0x85_2a84, 0xe9_4f5c, 0xfb_bb68], 0xff_efc0, 0xb9_4c6c, 0x1f_0f30, false);
const DAY: Row =
    ([0x2a_7ac4, 0x5c_aae0, 0xa5_d8f0, 0xec_f7f1], 0xff_ffff, 0x9f_c8da, 0x1c_4a48, false);
const MIST: Row =
    ([0x12_414c, 0x2f_7f80, 0x85_c5b8, 0xf0_eacd], 0xff_fbe6, 0x86_b9ae, 0x0b_2a2f, false);
const NIGHT: Row =
    ([0x05_0a24, 0x0d_1b4c, 0x26_3d7e, 0x64_78b6], 0xf6_f2dc, 0x34_4b88, 0x05_0816, true);
const AURORA: Row =
    ([0x03_101f, 0x07_2b40, 0x11_585b, 0x4b_ab92], 0xe6_fff2, 0x20_6464, 0x03_0f16, true);
const GOLD: Row =
    ([0x7a_3b25, 0xc9_6a33, 0xf3_aa55, 0xff_e7ad], 0xff_f8e0, 0xd0_8a54, 0x3a_1a10, false);
const SAKURA: Row =
    ([0x76_84c8, 0xb8_a8db, 0xf5_bfd2, 0xff_f1ec], 0xff_ffff, 0xdb_a7c1, 0x55_3a60, false);
const WINTER: Row =
    ([0x4e_769f, 0x8c_b0ce, 0xcd_e1ee, 0xfb_fdfd], 0xff_ffff, 0xb4_ccdd, 0x2c_4862, false);
const VIOLET: Row =
    ([0x07_0312, 0x1d_0c3c, 0x4d_1d70, 0xab_5296], 0xff_e3f3, 0x5e_2d77, 0x0a_0418, true);
const EMBER: Row =
    ([0x16_0d1f, 0x4a_1733, 0xa8_323c, 0xf2_8e4b], 0xff_dfa8, 0x86_2f40, 0x12_070f, false);
const LAGOON: Row =
    ([0x0d_3f7d, 0x1f_86b5, 0x7a_d3cf, 0xff_f0cf], 0xff_fdf0, 0x6c_b8bf, 0x0c_3348, false);

const ALL: [Row; 12] =
    [DAWN, SUNSET, DAY, MIST, NIGHT, AURORA, GOLD, SAKURA, WINTER, VIOLET, EMBER, LAGOON];
const DESERT: [Row; 5] = [GOLD, SUNSET, DAWN, EMBER, NIGHT];
const SPACE: [Row; 4] = [NIGHT, AURORA, VIOLET, EMBER];
const SEA: [Row; 7] = [DAWN, SUNSET, DAY, NIGHT, LAGOON, SAKURA, EMBER];

/// Words that choose the palette; the first that occurs wins.
const WORDS: [(&str, Row); 16] = [
    ("aurora", AURORA),
    ("极光", AURORA),
    ("night", NIGHT),
    ("moon", NIGHT),
    ("夜", NIGHT),
    ("月", NIGHT),
    ("sunset", SUNSET),
    ("夕阳", SUNSET),
    ("日落", SUNSET),
    ("sunrise", DAWN),
    ("日出", DAWN),
    ("snow", WINTER),
    ("雪", WINTER),
    ("樱", SAKURA),
    ("sakura", SAKURA),
    ("cherry", SAKURA),
];

impl Palette {
    /// The palette the words ask for, or one that suits the scene; a little different each time.
    pub(super) fn choose(prompt: &str, scene: Scene, dice: &mut Dice) -> Self {
        let suited: &[Row] = match scene {
            Scene::Dunes => &DESERT,
            Scene::Planet => &SPACE,
            Scene::Sea => &SEA,
            Scene::Mountains | Scene::Forest | Scene::Abstract => &ALL,
        };
        let by_chance = suited[dice.index(suited.len())];
        let asked = WORDS.iter().find(|(word, _)| prompt.contains(word));
        let (sky, light, far, near, night) = asked.map_or(by_chance, |(_, row)| *row);
        // A breath of another palette keeps two pictures of one palette apart.
        let (tint, ..) = ALL[dice.index(ALL.len())];
        let amount = dice.between(0, 48);
        let color = |value: u32| mix(rgb(value), rgb(tint[2]), amount);
        Self {
            sky: sky.map(color),
            light: rgb(light),
            far: color(far),
            near: mix(rgb(near), rgb(tint[0]), amount),
            night,
        }
    }

    /// The sky's colour at `at` (0 zenith, 65536 horizon).
    pub(super) fn sky_at(&self, at: i64) -> Color {
        let at = at.clamp(0, 65535) * 3;
        let [zenith, upper, lower, horizon] = self.sky;
        let part = at % 65536 / 256;
        match at / 65536 {
            0 => mix(zenith, upper, part),
            1 => mix(upper, lower, part),
            _ => mix(lower, horizon, part),
        }
    }
}

/// `0xRRGGBB` as a colour.
fn rgb(value: u32) -> Color {
    let [_, red, green, blue] = value.to_be_bytes();
    [red, green, blue].map(|part| i64::from(part) * 256)
}

/// From `a` (0) to `b` (256).
pub(super) fn mix(a: Color, b: Color, part: i64) -> Color {
    let part = part.clamp(0, 256);
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * part / 256)
}

/// `color` with `light` added, `part` of 256.
pub(super) fn add(color: Color, light: Color, part: i64) -> Color {
    [0, 1, 2].map(|i| (color[i] + light[i] * part / 256).min(65280))
}
