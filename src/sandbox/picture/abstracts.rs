//! Translucent discs and rings on a slanting gradient.

use super::Drawing;
use super::noise::{Dice, Noise};
use super::palette::{Color, Palette, mix};

#[derive(Debug)]
pub(super) struct Abstract {
    palette: Palette,
    shapes: Vec<Shape>,
    grain: [Noise; 2],
    /// Weights of right and down in the gradient; their sum over the picture is 65536.
    slant: (i64, i64),
    line: Vec<i64>,
}

#[derive(Debug)]
struct Shape {
    x: i64,
    y: i64,
    radius: i64,
    /// Width of a ring; the whole radius for a disc.
    width: i64,
    color: Color,
    opacity: i64,
    /// Which half is left out, if one is.
    half: Option<(i64, i64)>,
}

impl Abstract {
    pub(super) fn new(palette: &Palette, dice: &mut Dice, width: u32, height: u32) -> Self {
        let (width, height) = (i64::from(width), i64::from(height));
        let unit = width.min(height);
        let colors = [
            palette.sky[0],
            palette.sky[1],
            palette.sky[2],
            palette.sky[3],
            palette.light,
            palette.near,
        ];
        let shapes = (0..dice.between(9, 16))
            .map(|number| {
                let radius = unit * (46 - (number * 3).min(38) + dice.between(0, 8)) / 100;
                let ring = dice.chance(35);
                Shape {
                    x: dice.between(width / 10, width * 9 / 10),
                    y: dice.between(height / 10, height * 9 / 10),
                    radius,
                    width: if ring { (radius / dice.between(5, 14)).max(1) } else { radius },
                    color: colors[dice.index(colors.len())],
                    opacity: dice.between(90, 215),
                    half: dice.chance(30).then(|| {
                        [(1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1)][dice.index(6)]
                    }),
                }
            })
            .collect();
        let across = dice.between(8_000, 40_000);
        Self {
            palette: palette.clone(),
            shapes,
            grain: [1, 3].map(|n| Noise::new(dice.seed(), unit / 2 / n, unit / 2 / n)),
            slant: (across, 65_536 - across),
            line: vec![0; usize::try_from(width).unwrap_or_default()],
        }
        .scaled(width, height)
    }

    fn scaled(mut self, width: i64, height: i64) -> Self {
        self.slant = (self.slant.0 * 256 / width.max(1), self.slant.1 * 256 / height.max(1));
        self
    }
}

impl Drawing for Abstract {
    fn row(&mut self, y: i64, row: &mut [Color]) {
        self.line.fill(-9_000);
        for (noise, amplitude) in self.grain.iter().zip([12_000, 6_000]) {
            noise.add(y, amplitude, &mut self.line);
        }
        for ((x, pixel), wave) in (0i64..).zip(row.iter_mut()).zip(&self.line) {
            *pixel = self.palette.sky_at((x * self.slant.0 + y * self.slant.1) / 256 + wave);
        }
        for shape in &self.shapes {
            shape.paint(y, row);
        }
    }
}

impl Shape {
    fn paint(&self, y: i64, row: &mut [Color]) {
        let down = y - self.y;
        if down.abs() > self.radius {
            return;
        }
        let half_chord = (self.radius * self.radius - down * down).isqrt() + 1;
        let columns = (0i64..).zip(row.iter_mut());
        let first = usize::try_from((self.x - half_chord).max(0)).unwrap_or_default();
        for (x, pixel) in columns.skip(first).take_while(|(x, _)| *x <= self.x + half_chord) {
            let right = x - self.x;
            if self.half.is_some_and(|(a, b)| right * a + down * b > 0) {
                continue;
            }
            // A soft edge of a pixel, in sixteenths, without a square root.
            let away = right * right + down * down;
            let inside =
                |radius: i64| ((radius * radius - away) * 8 / radius.max(1) + 8).clamp(0, 16);
            let outer = inside(self.radius);
            let inner = 16 - inside(self.radius - self.width);
            let edge = if self.width == self.radius { outer } else { outer.min(inner) };
            // A disc is denser on its rim, like glass.
            let dense = 150 + away * 106 / (self.radius * self.radius).max(1);
            *pixel = mix(*pixel, self.color, self.opacity * edge / 16 * dense / 256);
        }
    }
}
