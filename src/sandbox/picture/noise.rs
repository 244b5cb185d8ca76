//! Chance that can be repeated: dice, and smooth noise along rows.

/// Throws dice from a seed.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        let mut state = 0;
        for part in seed.chunks_exact(8) {
            let part = part.try_into().map(u64::from_le_bytes).unwrap_or_default();
            state = scramble(state ^ part);
        }
        Self(state)
    }

    /// A fresh seed.
    pub(super) fn seed(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (high - low + 1).max(1);
        low + (self.seed() >> 16).cast_signed() % span
    }

    /// Below `len`, which is not 0.
    pub(super) fn index(&mut self, len: usize) -> usize {
        let len = i64::try_from(len).unwrap_or(i64::MAX);
        usize::try_from(self.between(0, len - 1)).unwrap_or_default()
    }

    /// True in `percent` of 100 throws.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 99) < percent
    }
}

/// The finaliser of SplitMix64.
fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Smooth noise with cells of a given size in pixels.
#[derive(Debug)]
pub(super) struct Noise {
    seed: u64,
    cell_height: i64,
    /// How far from one lattice point to the next (0–65536), for each pixel of a cell.
    steps: Vec<i64>,
}

impl Noise {
    pub(super) fn new(seed: u64, cell_width: i64, cell_height: i64) -> Self {
        let cell_width = cell_width.max(1);
        let steps = (0..cell_width).map(|t| smooth(t * 65536 / cell_width)).collect();
        Self { seed, cell_height: cell_height.max(1), steps }
    }

    /// Adds the noise of row `y`, from 0 to `amplitude`, to `row`.
    pub(super) fn add(&self, y: i64, amplitude: i64, row: &mut [i64]) {
        let cell_y = y.div_euclid(self.cell_height);
        let down = smooth(y.rem_euclid(self.cell_height) * 65536 / self.cell_height);
        let point = |cell_x: i64| {
            let above = self.lattice(cell_x, cell_y);
            let below = self.lattice(cell_x, cell_y + 1);
            above + (below - above) * down / 65536
        };
        let mut left = point(0);
        for (cell, cell_x) in row.chunks_mut(self.steps.len()).zip(1..) {
            let right = point(cell_x);
            for (value, step) in cell.iter_mut().zip(&self.steps) {
                *value += (left + (right - left) * step / 65536) * amplitude / 65536;
            }
            left = right;
        }
    }

    fn lattice(&self, x: i64, y: i64) -> i64 {
        let place = x.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ y.cast_unsigned().wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        (scramble(self.seed ^ place) >> 48).cast_signed()
    }
}

/// `3t² − 2t³` on 0–65536.
pub(super) fn smooth(t: i64) -> i64 {
    let square = t * t / 65536;
    square * (3 * 65536 - 2 * t) / 65536
}
