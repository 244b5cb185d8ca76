//! Sky above ground, and water in which both are seen again.

use super::noise::{Dice, Noise};
use super::palette::{Color, Palette, mix};
use super::ridges::{Ground, Ridge};
use super::sky::Sky;
use super::{Drawing, Scene};

#[derive(Debug)]
pub(super) struct Landscape {
    sky: Sky,
    ridges: Vec<Ridge>,
    /// The row from which on the ridges hide the sky.
    closed_from: i64,
    water: Option<Water>,
    height: i64,
}

#[derive(Debug)]
struct Water {
    /// The row where it begins.
    top: i64,
    color: Color,
    ripples: [Noise; 2],
    /// Ripples are this wide at the bottom of the picture, in pixels.
    reach: i64,
    above: Vec<Color>,
    shift: Vec<i64>,
}

impl Landscape {
    pub(super) fn new(
        scene: Scene,
        palette: Palette,
        dice: &mut Dice,
        width: u32,
        height: u32,
    ) -> Self {
        let (width, height) = (i64::from(width), i64::from(height));
        let unit = width.min(height);
        let horizon = height
            * match scene {
                Scene::Mountains => dice.between(46, 58),
                Scene::Forest => dice.between(38, 52),
                Scene::Dunes => dice.between(50, 62),
                Scene::Sea => dice.between(48, 60),
                Scene::Planet => dice.between(78, 90),
                Scene::Abstract => 50,
            }
            / 100;
        let sky = Sky::new(scene, &palette, dice, width, height, horizon);
        let light_x = sky.light_x();
        let ground = Ground { scene, palette: &palette, width, height, horizon, light_x };
        let ridges = ground.ridges(dice);
        let lake = scene == Scene::Mountains && dice.chance(45);
        let top = match scene {
            Scene::Sea => Some(horizon),
            _ if lake => Some(horizon + (height - horizon) * dice.between(45, 62) / 100),
            _ => None,
        };
        let water = top.map(|top| Water {
            top,
            color: mix(palette.sky[1], palette.near, 90),
            ripples: [
                Noise::new(dice.seed(), unit / 5, (unit / 110).max(1)),
                Noise::new(dice.seed(), unit / 16, (unit / 240).max(1)),
            ],
            reach: unit * 9 / 100,
            above: vec![[0; 3]; usize::try_from(width).unwrap_or_default()],
            shift: vec![0; usize::try_from(width).unwrap_or_default()],
        });
        let closed_from = Ridge::closed_from(&ridges);
        Self { sky, ridges, closed_from, water, height }
    }

    fn dry_row(&mut self, y: i64, row: &mut [Color]) {
        if y < self.closed_from {
            self.sky.row(y, row);
        }
        for ridge in &self.ridges {
            ridge.paint(y, row);
        }
    }
}

impl Drawing for Landscape {
    fn row(&mut self, y: i64, row: &mut [Color]) {
        let Some(mut water) = self.water.take_if(|water| y >= water.top) else {
            self.dry_row(y, row);
            return;
        };
        let deep = y - water.top;
        let bottom = (self.height - water.top).max(1);
        // The mirror shows less than what is above, squeezed, as water seen at an angle does.
        let seen = (water.top - 1 - deep * water.top / bottom * 8 / 10).max(0);
        self.dry_row(seen, &mut water.above);
        water.shift.fill(0);
        let reach = water.reach * (deep * 220 / bottom + 12) / 256;
        for (noise, part) in water.ripples.iter().zip([170, 86]) {
            noise.add(y, reach * 2 * part / 256, &mut water.shift);
        }
        let dark = 56 + deep * 110 / bottom;
        let last = i64::try_from(row.len()).unwrap_or_default() - 1;
        for ((x, pixel), shift) in (0..).zip(row.iter_mut()).zip(&water.shift) {
            let from = (x + shift - reach).clamp(0, last);
            let mirrored = usize::try_from(from).ok().and_then(|from| water.above.get(from));
            *pixel = mix(mirrored.copied().unwrap_or(water.color), water.color, dark);
        }
        self.water = Some(water);
    }
}
