//! The ground of a landscape: ridges behind ridges, each a height per column.

use super::Scene;
use super::noise::{Dice, Noise};
use super::palette::{Color, Palette, mix};

/// Heights are in 1/16 of a pixel, counted from the top.
#[derive(Debug)]
pub(super) struct Ridge {
    top: Vec<i64>,
    /// From here down a nearer ridge covers this one.
    hidden: Vec<i64>,
    /// Light on the slope, −128 to 128.
    slope: Vec<i64>,
    /// Where snow ends, per column; below `top` there is none.
    snow: Vec<i64>,
    color: Color,
    mist: Color,
    /// Pixels from the crest to the thickest mist.
    depth: i64,
    /// How much mist (of 256).
    misty: i64,
    highlight: Color,
}

/// What all ridges of a picture have in common.
pub(super) struct Ground<'a> {
    pub(super) scene: Scene,
    pub(super) palette: &'a Palette,
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) horizon: i64,
    pub(super) light_x: i64,
}

impl Ground<'_> {
    /// The ridges, farthest first.
    pub(super) fn ridges(&self, dice: &mut Dice) -> Vec<Ridge> {
        let count = match self.scene {
            Scene::Mountains => dice.between(4, 6),
            Scene::Forest => dice.between(5, 6),
            Scene::Dunes => dice.between(3, 5),
            Scene::Sea => dice.between(0, 2),
            Scene::Planet => dice.between(1, 3),
            Scene::Abstract => 0,
        };
        let mut ridges: Vec<Ridge> =
            (0..count).map(|number| self.ridge(number, count, dice)).collect();
        let mut nearer = vec![i64::MAX; usize::try_from(self.width).unwrap_or_default()];
        for ridge in ridges.iter_mut().rev() {
            ridge.hidden.clone_from(&nearer);
            for (nearer, top) in nearer.iter_mut().zip(&ridge.top) {
                *nearer = (*nearer).min(*top);
            }
        }
        ridges
    }

    fn ridge(&self, number: i64, count: i64, dice: &mut Dice) -> Ridge {
        let unit = self.width.min(self.height);
        // 0 is the farthest, 256 the nearest.
        let near = if count > 1 { number * 256 / (count - 1) } else { 128 };
        let room = self.height - self.horizon;
        let (base, rise, cell, octaves) = match self.scene {
            Scene::Mountains => (
                self.horizon + room * near / 256 * 3 / 4,
                unit * (34 - near * 18 / 256) / 100,
                unit * (46 - near * 10 / 256) / 100,
                7,
            ),
            Scene::Forest => {
                (self.horizon + room * near / 256 * 4 / 5, unit * 14 / 100, unit * 50 / 100, 4)
            }
            Scene::Dunes => (
                self.horizon + room * near / 256 * 7 / 10,
                unit * (8 + near * 9 / 256) / 100,
                unit * (55 + near * 40 / 256) / 100,
                1,
            ),
            Scene::Sea => (self.horizon, unit * dice.between(5, 12) / 100, unit * 38 / 100, 6),
            Scene::Planet | Scene::Abstract => {
                (self.horizon + room * near / 256 * 2 / 3, unit * 12 / 100, unit * 40 / 100, 6)
            }
        };
        let mut top = self.crest(dice, base, rise, cell, octaves);
        if self.scene == Scene::Sea {
            self.cut_island(&mut top, dice, base);
        }
        let snow = self.snow_line(&top, dice, near, unit);
        let slope = self.light(&top, unit);
        if self.scene == Scene::Forest || (self.scene == Scene::Mountains && number + 1 == count) {
            let tall = unit * (3 + near * 9 / 256) / 100;
            plant(&mut top, dice, tall.max(3));
        }
        let haze = self.palette.sky[3];
        Ridge {
            hidden: Vec::new(),
            top,
            slope,
            snow,
            color: mix(self.palette.far, self.palette.near, near),
            mist: mix(haze, self.palette.far, 60),
            depth: (unit * 30 / 100).max(1),
            misty: if self.scene == Scene::Dunes { 60 } else { 200 - near * 190 / 256 },
            highlight: mix(self.palette.light, haze, 128),
        }
    }

    /// Noise of several sizes; the finer the lower.
    fn crest(&self, dice: &mut Dice, base: i64, rise: i64, cell: i64, octaves: u32) -> Vec<i64> {
        let mut hills = vec![0; usize::try_from(self.width).unwrap_or_default()];
        for octave in 0..octaves {
            let amplitude = (rise * 32 / 3) >> octave;
            Noise::new(dice.seed(), (cell >> octave).max(2), 1).add(0, amplitude, &mut hills);
        }
        hills.iter().map(|hill| base * 16 - hill + rise * 4).collect()
    }

    /// Lets an island end in the water on both sides.
    fn cut_island(&self, top: &mut [i64], dice: &mut Dice, base: i64) {
        let middle = dice.between(self.width / 10, self.width * 9 / 10);
        let half = (self.width * dice.between(14, 34) / 100).max(1);
        for (x, top) in (0..).zip(top.iter_mut()) {
            let away: i64 = (x - middle).abs().min(half);
            let kept = (half * half - away * away) * 256 / (half * half);
            *top = base * 16 - (base * 16 - *top).max(0) * kept / 256 + (256 - kept) / 8;
        }
    }

    fn snow_line(&self, top: &[i64], dice: &mut Dice, near: i64, unit: i64) -> Vec<i64> {
        let highest = top.iter().copied().min().unwrap_or_default();
        if self.scene != Scene::Mountains || near > 140 {
            return vec![i64::MIN; top.len()];
        }
        let mut line = vec![0; top.len()];
        Noise::new(dice.seed(), (unit / 24).max(2), 1).add(0, unit * 16 * 6 / 100, &mut line);
        Noise::new(dice.seed(), (unit / 90).max(2), 1).add(0, unit * 16 * 3 / 100, &mut line);
        line.iter().map(|jag| highest + unit * 16 * 5 / 100 + jag).collect()
    }

    /// Slopes towards the light are bright.
    fn light(&self, top: &[i64], unit: i64) -> Vec<i64> {
        if matches!(self.scene, Scene::Forest | Scene::Planet) {
            return vec![0; top.len()];
        }
        let step = usize::try_from((unit / 40).max(1)).unwrap_or(1);
        let last = top.len().saturating_sub(1);
        let span = (unit / 40).max(1) * 2;
        let turn = (self.width / 6).max(1);
        (0..top.len())
            .zip(0..)
            .map(|(x, column)| {
                let rise = top[x.saturating_sub(step)] - top[(x + step).min(last)];
                // Below the light itself the side changes gradually, or a seam would show.
                let side = ((self.light_x - column) * 256 / turn).clamp(-256, 256);
                (rise * -7 / span * side / 256).clamp(-110, 110)
            })
            .collect()
    }
}

/// Puts firs of about `tall` pixels on a ridge.
fn plant(top: &mut [i64], dice: &mut Dice, tall: i64) {
    let ground = top.to_vec();
    let width = i64::try_from(top.len()).unwrap_or_default();
    let mut middle = 0;
    while middle < width {
        let height = tall * dice.between(55, 125) / 100;
        let half = (height * 20 / 100).max(1);
        let tiers = dice.between(4, 6);
        for x in (middle - half).max(0)..(middle + half + 1).min(width) {
            let Ok(column) = usize::try_from(x) else { continue };
            // A cone whose edge is cut into tiers.
            let away = (x - middle).abs() * 256 / half;
            let cone = (256 - away) * height * 16 / 256;
            let tier = (height * 16 / tiers).max(1);
            let jag = cone % tier / 3;
            let tip = ground[column] - cone + jag;
            top[column] = top[column].min(tip);
        }
        middle += (height * dice.between(14, 46) / 100).max(2);
    }
}

impl Ridge {
    /// The row from which on no column shows anything behind `ridges`.
    pub(super) fn closed_from(ridges: &[Self]) -> i64 {
        let Some(farthest) = ridges.first() else { return i64::MAX };
        let columns = farthest.top.iter().zip(&farthest.hidden);
        let lowest = columns.map(|(top, nearer)| *top.min(nearer)).max().unwrap_or(i64::MAX);
        lowest / 16 + 1
    }

    pub(super) fn paint(&self, y: i64, row: &mut [Color]) {
        let below = (y + 1) * 16;
        let columns = self.top.iter().zip(&self.hidden).zip(&self.slope).zip(&self.snow);
        for (pixel, (((top, hidden), slope), snow)) in row.iter_mut().zip(columns) {
            let covered = (below - top).clamp(0, 16) * 16;
            if covered == 0 || y * 16 >= *hidden {
                continue;
            }
            let deep = (below - top) / 16;
            let mist = (deep * 256 / self.depth).min(256) * self.misty / 256;
            let mut color = self.color;
            if below < *snow {
                color = mix(color, self.highlight, 215);
            }
            // Light fades with depth, so that the crest looks sharp.
            let light = slope * (256 - (deep * 1000 / self.depth).min(256)) / 256;
            color = if light > 0 {
                mix(color, self.highlight, light)
            } else {
                mix(color, [0; 3], -light / 2)
            };
            *pixel = mix(*pixel, mix(color, self.mist, mist), covered);
        }
    }
}
