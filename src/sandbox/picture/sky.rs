//! The upper part of a landscape: gradient, stars, sun or planet, clouds.

use super::Scene;
use super::noise::{Dice, Noise, smooth};
use super::palette::{Color, Palette, add, mix};

#[derive(Debug)]
pub(super) struct Sky {
    palette: Palette,
    horizon: i64,
    body: Body,
    stars: Vec<Star>,
    clouds: [Noise; 3],
    /// Noise below this is clear sky (of 65536), and how dense the rest is (of 256).
    clear: i64,
    density: i64,
    cloud_color: Color,
    line: Vec<i64>,
}

#[derive(Debug)]
struct Star {
    x: i64,
    y: i64,
    /// Radius in 1/16 pixel.
    size: i64,
    brightness: i64,
}

/// Sun, moon or planet.
#[derive(Debug)]
struct Body {
    x: i64,
    y: i64,
    radius: i64,
    /// How far its light reaches, squared.
    reach: i64,
    glow: i64,
    planet: Option<Planet>,
}

/// What a planet has that a sun has not.
#[derive(Debug)]
struct Planet {
    bands: Noise,
    dark: Color,
    bright: Color,
    /// Where the light comes from: −256 to 256, to the right and down.
    sun: (i64, i64),
    ringed: bool,
}

impl Sky {
    pub(super) fn new(
        scene: Scene,
        palette: &Palette,
        dice: &mut Dice,
        width: i64,
        height: i64,
        horizon: i64,
    ) -> Self {
        let unit = width.min(height);
        let is_space = scene == Scene::Planet;
        let body = Body::new(scene, palette, dice, width, unit, horizon);
        let count = match (is_space, palette.night) {
            (true, _) => 420,
            (false, true) => 260,
            (false, false) => 0,
        };
        let largest = (unit / 40).max(14);
        let mut stars: Vec<Star> = (0..count)
            .map(|_| {
                let faint = dice.between(0, 100);
                Star {
                    x: dice.between(0, width - 1),
                    y: dice.between(0, horizon),
                    size: largest * (30 + faint * faint * faint / 14_000) / 100,
                    brightness: 90 + faint * 3 / 2,
                }
            })
            .collect();
        stars.sort_by_key(|star| star.y);
        let (flat, tall) = if is_space { (unit / 2, unit / 2) } else { (unit / 2, unit / 9) };
        let clouds = [1, 2, 5].map(|n| Noise::new(dice.seed(), flat / n, tall / n));
        let clear = dice.between(27_000, 44_000);
        let density = if is_space { 150 } else { dice.between(110, 220) };
        let cloud_color = if is_space {
            mix(palette.sky[3], palette.sky[2], dice.between(0, 200))
        } else if palette.night {
            mix(palette.sky[2], palette.sky[3], 128)
        } else {
            mix(palette.light, palette.sky[3], dice.between(40, 160))
        };
        let line = vec![0; usize::try_from(width).unwrap_or_default()];
        let palette = palette.clone();
        Self { palette, horizon, body, stars, clouds, clear, density, cloud_color, line }
    }

    /// Where the light stands.
    pub(super) fn light_x(&self) -> i64 {
        self.body.x
    }

    pub(super) fn row(&mut self, y: i64, row: &mut [Color]) {
        let base = self.palette.sky_at(y * 65536 / self.horizon.max(1));
        row.fill(base);
        self.paint_stars(y, row);
        self.paint_light(y, row);
        self.paint_clouds(y, row);
    }

    fn paint_stars(&self, y: i64, row: &mut [Color]) {
        let reach = self.stars.iter().map(|star| star.size).max().unwrap_or_default() / 16 + 1;
        let first = self.stars.partition_point(|star| star.y < y - reach);
        for star in self.stars[first..].iter().take_while(|star| star.y <= y + reach) {
            let radius = star.size / 16 + 1;
            let size = star.size * star.size;
            for x in star.x - radius..=star.x + radius {
                let Some(pixel) = usize::try_from(x).ok().and_then(|x| row.get_mut(x)) else {
                    continue;
                };
                let away = 256 * ((x - star.x).pow(2) + (y - star.y).pow(2));
                let part = (size - away).max(0) * star.brightness / size.max(1);
                *pixel = add(*pixel, self.palette.light, part);
            }
        }
    }

    fn paint_light(&self, y: i64, row: &mut [Color]) {
        let body = &self.body;
        let down = y - body.y;
        let square = body.radius * body.radius;
        for (x, pixel) in (0..).zip(row.iter_mut()) {
            let right: i64 = x - body.x;
            let away = right * right + down * down;
            let glow = body.glow * body.reach / (body.reach + away).max(1);
            *pixel = add(*pixel, self.palette.light, glow * glow / 256);
            // Half a pixel of soft edge on both sides.
            let inside = ((square - away) * 128 / body.radius.max(1) + 128).clamp(0, 256);
            match &body.planet {
                None if inside > 0 => *pixel = mix(*pixel, self.palette.light, inside),
                Some(planet) => planet.paint(body, right, down, inside, pixel),
                None => {}
            }
        }
    }

    fn paint_clouds(&mut self, y: i64, row: &mut [Color]) {
        self.line.fill(0);
        for (noise, amplitude) in self.clouds.iter().zip([36_000, 19_000, 10_536]) {
            noise.add(y, amplitude, &mut self.line);
        }
        // Less of them at the zenith and right at the horizon.
        let at = (y * 256 / self.horizon.max(1)).clamp(0, 256);
        let fade = (at * 3).min((256 - at) * 4 + 40).clamp(0, 256);
        for (pixel, noise) in row.iter_mut().zip(&self.line) {
            let thick = smooth(((noise - self.clear) * 4).clamp(0, 65536));
            if thick > 0 {
                *pixel = mix(*pixel, self.cloud_color, thick * self.density / 65536 * fade / 256);
            }
        }
    }
}

impl Body {
    fn new(
        scene: Scene,
        palette: &Palette,
        dice: &mut Dice,
        width: i64,
        unit: i64,
        horizon: i64,
    ) -> Self {
        let x = dice.between(width * 18 / 100, width * 82 / 100);
        if scene == Scene::Planet {
            let radius = unit * dice.between(16, 27) / 100;
            let sun = if dice.chance(50) { (-181, -150) } else { (181, -150) };
            let planet = Planet {
                bands: Noise::new(dice.seed(), unit / 3, (radius / dice.between(3, 8)).max(1)),
                dark: mix(palette.sky[1], palette.near, 100),
                bright: mix(palette.sky[3], palette.light, dice.between(30, 170)),
                sun,
                ringed: dice.chance(60),
            };
            let y = horizon * dice.between(32, 52) / 100;
            let reach = radius * radius * 2;
            return Self { x, y, radius, reach, glow: 130, planet: Some(planet) };
        }
        let (radius, low) = match scene {
            Scene::Dunes => (unit * dice.between(9, 15) / 100, 86),
            _ if palette.night => (unit * dice.between(4, 7) / 100, 55),
            _ => (unit * dice.between(5, 10) / 100, 92),
        };
        let y = horizon * dice.between(28, low) / 100;
        let reach = radius * radius * 3;
        Self { x, y, radius, reach, glow: if palette.night { 130 } else { 200 }, planet: None }
    }
}

impl Planet {
    fn paint(&self, body: &Body, right: i64, down: i64, inside: i64, pixel: &mut Color) {
        if inside > 0 {
            let square = body.radius * body.radius;
            let depth = (square - right * right - down * down).max(0).isqrt();
            // Lambert's law; 256 is full light.
            let light = (right * self.sun.0 + down * self.sun.1 + depth * 100) / body.radius.max(1);
            let mut band = [0];
            // Bands bend with the ball.
            self.bands.add(down + right * right / (body.radius * 5).max(1), 256, &mut band);
            let surface = mix(self.bright, self.dark, band[0] * 3 / 4);
            let lit = mix(mix(self.dark, [0; 3], 170), surface, light.clamp(0, 256));
            *pixel = mix(*pixel, lit, inside);
        }
        if self.ringed {
            self.paint_ring(body, right, down, inside, pixel);
        }
    }

    fn paint_ring(&self, body: &Body, right: i64, down: i64, inside: i64, pixel: &mut Color) {
        // A tilted ellipse, five times as wide as high; the half above the centre lies behind.
        let tilted = down * 4 - right * self.sun.0.signum();
        if inside > 128 && tilted < 0 {
            return;
        }
        let away = (right * right + tilted * tilted * 2).isqrt() * 100 / body.radius.max(1);
        let part = match away {
            138..=168 => 190,
            171..=186 => 120,
            190..=196 => 60,
            _ => return,
        };
        *pixel = mix(*pixel, self.bright, part);
    }
}
