//! What the demo users, pictures and favorites are like. Pure: no database, no clock.
//!
//! Guarantees: the same seed and number give the same row, whatever else is made; later rows are
//! later in time; every picture is younger than its author, every favorite younger than all
//! pictures. The dates are fixed and in the past, so that what people publish comes before it.

use super::dice::{Dice, Window};
use super::pictures::{AVATARS, Links, PER_CATEGORY};
use super::words::{FINISHES, LIGHTS, NAME_ENDS, NAME_STARTS, THEMES};
use crate::base::ids::UserId;
use crate::base::time::UnixMillis;

/// May and June 2025, Asia/Shanghai.
const USERS: Window = Window { start: UnixMillis(1_746_028_800_000), days: 61 };
/// July to September 2025.
const IMAGES: Window = Window { start: UnixMillis(1_751_299_200_000), days: 92 };
/// The first week of October 2025.
const FAVORITES: Window = Window { start: UnixMillis(1_759_248_000_000), days: 7 };

/// Keep the dice of the tables apart; template variations have 4.
const USER_DICE: u64 = 1;
const IMAGE_DICE: u64 = 2;
const FAVORITE_DICE: u64 = 3;

/// Only the first users keep favorites: enough to look at, and whoever tries the API as another
/// one starts with an empty list.
pub(super) const USERS_WITH_FAVORITES: u32 = 100;

/// A row of `users`, with the points it starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DemoUser {
    pub(super) openid: String,
    pub(super) nick_name: String,
    pub(super) avatar_url: String,
    pub(super) balance: i64,
    pub(super) created_at: UnixMillis,
}

/// A row of `gallery_images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DemoImage {
    pub(super) image_url: String,
    pub(super) thumbnail_url: String,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) prompt: String,
    pub(super) category_id: &'static str,
    pub(super) author: Option<UserId>,
    pub(super) likes: i64,
    pub(super) created_at: UnixMillis,
}

/// What a favorite points at: the index of an image or of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Image(usize),
    Template(usize),
}

/// The user with this index (from 0) of `of`.
pub(super) fn user(seed: u64, n: u32, of: u32, balance: i64, links: &Links) -> DemoUser {
    let dice = &mut Dice::new(seed, USER_DICE, n);
    let (start, end) = (dice.pick(&NAME_STARTS), dice.pick(&NAME_ENDS));
    // Most names are taken, as everywhere: two in three carry a number.
    let nick_name = match dice.below(3) {
        0 => format!("{start}{end}"),
        _ => format!("{start}{end}{}", 1 + dice.below(999)),
    };
    DemoUser {
        openid: format!("seed-{:06}", n + 1),
        nick_name,
        avatar_url: links.avatars[dice.index(AVATARS)].clone(),
        balance,
        created_at: USERS.time(n, of, dice),
    }
}

/// The image with this index (from 0, the oldest) of `of`, by one of `authors`.
pub(super) fn image(seed: u64, n: u32, of: u32, authors: &[UserId], links: &Links) -> DemoImage {
    let dice = &mut Dice::new(seed, IMAGE_DICE, n);
    let number = dice.index(THEMES.len());
    let theme = &THEMES[number];
    let prompt = format!(
        "{}，{}，{}，{}，{}",
        dice.pick(&theme.subjects),
        dice.pick(&theme.scenes),
        dice.pick(&LIGHTS),
        dice.pick(&theme.styles),
        dice.pick(&FINISHES),
    );
    let picture = &links.pictures[number][dice.index(PER_CATEGORY)];
    // The lower of two draws: some publish much, most little.
    let author = dice.index(authors.len()).min(dice.index(authors.len()));
    DemoImage {
        image_url: picture.url.clone(),
        thumbnail_url: picture.url.clone(),
        width: picture.width,
        height: picture.height,
        prompt,
        category_id: theme.category_id,
        author: authors.get(author).copied(),
        likes: likes(dice),
        created_at: IMAGES.time(n, of, dice),
    }
}

/// Few pictures are loved by thousands, most by dozens.
fn likes(dice: &mut Dice) -> i64 {
    dice.below(1_000).pow(4) / 200_000_000
}

/// What the user with this index keeps, oldest first; every fourth a template.
///
/// The newest tenth of the images is left out: nobody has found it yet, so that whoever tries the
/// API on the first pages of the gallery adds new favorites and does not meet old ones.
pub(super) fn favorites(
    seed: u64,
    n: u32,
    images: usize,
    templates: usize,
) -> Vec<(Kept, UnixMillis)> {
    if n >= USERS_WITH_FAVORITES {
        return Vec::new();
    }
    let dice = &mut Dice::new(seed, FAVORITE_DICE, n);
    let groups = 1 + dice.index(4);
    let mut kept_images = dice.distinct(3 * groups, images - images / 10).into_iter();
    let mut kept_templates = dice.distinct(groups, templates).into_iter();
    let mut kept = Vec::with_capacity(4 * groups);
    for _ in 0..groups {
        kept.extend(kept_images.by_ref().take(3).map(Kept::Image));
        kept.extend(kept_templates.next().map(Kept::Template));
    }
    let of = u32::try_from(kept.len()).unwrap_or(u32::MAX);
    (0..of).zip(kept).map(|(k, kept)| (kept, FAVORITES.time(k, of, dice))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::pictures::Link;
    use super::*;

    /// Links to pictures that nobody has drawn: what rows say does not depend on it.
    fn links() -> Links {
        let link = |theme: usize, n: usize| Link {
            url: format!("http://127.0.0.1:3000/media/{theme}-{n}.png"),
            width: u32::try_from(300 + n).unwrap(),
            height: 300,
        };
        Links {
            pictures: (0..THEMES.len())
                .map(|theme| (0..PER_CATEGORY).map(|n| link(theme, n)).collect())
                .collect(),
            avatars: (0..AVATARS).map(|n| format!("avatar-{n}.png")).collect(),
        }
    }

    fn images(seed: u64, of: u32) -> Vec<DemoImage> {
        let authors: Vec<UserId> = (1..=50).map(UserId).collect();
        let links = links();
        (0..of).map(|n| image(seed, n, of, &authors, &links)).collect()
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        assert_eq!(images(42, 200), images(42, 200));
        assert_ne!(images(42, 200), images(43, 200));
        let of_few = image(42, 7, 10, &[UserId(1)], &links());
        let of_many = image(42, 7, 1_000, &[UserId(1)], &links());
        assert_eq!((of_few.prompt, of_few.likes), (of_many.prompt, of_many.likes));
    }

    #[test]
    fn a_gallery_page_has_the_size_of_a_real_one() {
        let all = images(42, 2_000);
        let sizes: Vec<usize> = all.iter().map(|image| image.prompt.len()).collect();
        assert!(sizes.iter().all(|size| (72..=200).contains(size)), "{:?}", sizes.iter().max());
        let average = sizes.iter().sum::<usize>() / sizes.len();
        assert!((100..=140).contains(&average), "{average}");
    }

    #[test]
    fn pictures_vary() {
        let all = images(42, 4_000);
        let prompts: HashSet<&str> = all.iter().map(|image| image.prompt.as_str()).collect();
        assert!(prompts.len() > 3_800, "{}", prompts.len());
        let mut by_category: HashMap<&str, u32> = HashMap::new();
        for image in &all {
            *by_category.entry(image.category_id).or_default() += 1;
        }
        assert_eq!(by_category.len(), 4);
        assert!(by_category.values().all(|count| *count > 800), "{by_category:?}");
        let loved = all.iter().filter(|image| image.likes > 2_000).count();
        assert!((100..1_500).contains(&loved), "{loved}");
    }

    #[test]
    fn one_picture_has_one_size() {
        let mut sizes = HashMap::new();
        for image in images(1, 2_000) {
            let size = (image.width, image.height);
            assert_eq!(*sizes.entry(image.image_url).or_insert(size), size);
        }
        assert_eq!(sizes.len(), 4 * PER_CATEGORY);
    }

    #[test]
    fn everything_comes_after_what_it_refers_to() {
        let dice = &mut Dice::new(1, 9, 1);
        let last_user = user(42, 99, 100, 0, &links());
        let pictures = images(42, 100);
        assert!(last_user.created_at < pictures[0].created_at);
        assert!(pictures.is_sorted_by(|a, b| a.created_at < b.created_at));
        assert!(pictures[99].created_at < FAVORITES.time(0, 1, dice));
    }

    #[test]
    fn users_are_numbered_from_one() {
        let first = user(42, 0, 100, 7, &links());
        assert_eq!((first.openid.as_str(), first.balance), ("seed-000001", 7));
        assert_eq!(user(42, 9_999, 10_000, 0, &links()).openid, "seed-010000");
        // The API admits names of 1 to 32 characters.
        let links = links();
        let names: HashSet<String> =
            (0..3_000).map(|n| user(42, n, 3_000, 0, &links).nick_name).collect();
        assert!(names.iter().all(|name| (2..=32).contains(&name.chars().count())));
        assert!(names.len() > 2_000, "{}", names.len());
    }

    #[test]
    fn favorites_are_distinct_and_leave_the_newest_images() {
        for n in 0..USERS_WITH_FAVORITES {
            let kept = favorites(42, n, 1_000, 30);
            assert!((4..=16).contains(&kept.len()));
            for (k, (one, at)) in kept.iter().enumerate() {
                assert!(!kept[..k].iter().any(|(other, before)| other == one || before >= at));
                assert!(!matches!(one, Kept::Image(index) if *index >= 900));
            }
        }
        assert!(favorites(42, USERS_WITH_FAVORITES, 1_000, 30).is_empty());
        assert!(favorites(42, 0, 0, 0).is_empty());
        assert_eq!(favorites(42, 0, 1, 0).len(), 1);
    }
}
