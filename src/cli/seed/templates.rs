//! The prompt templates of the demo: those of `data/seed/prompt_templates.json`, and beyond them
//! variations of the same in another light or season.

use serde::Deserialize;

use super::dice::{Dice, Window};
use crate::base::time::UnixMillis;

/// Thirty templates in six categories, sorted by category.
const FILE: &str = include_str!("../../../data/seed/prompt_templates.json");

/// April 2025, Asia/Shanghai.
const TEMPLATES: Window = Window { start: UnixMillis(1_743_436_800_000), days: 30 };

/// Apart from the dice of the other tables.
const TEMPLATE_DICE: u64 = 4;

/// A variation's name, and what it adds to the prompt.
const VARIATIONS: [(&str, &str); 12] = [
    ("晨雾", "清晨薄雾弥漫，空气湿润，轮廓柔和朦胧"),
    ("暮色", "日落后的余晖，橙紫渐变的天光，影子拉得很长"),
    ("初雪", "细雪纷飞，冷色调，近处留有一点温暖灯光"),
    ("雨后", "雨后初晴，湿润地面映出倒影，色彩格外鲜明"),
    ("星夜", "夜空繁星点点，深蓝色调，微弱的光勾勒主体"),
    ("盛夏", "盛夏正午的强光，明快高饱和，阴影清晰"),
    ("金秋", "秋叶金黄，斜阳温暖，画面带着淡淡怀旧"),
    ("黑白", "黑白影调，灰阶细腻，以光影与线条取胜"),
    ("微缩", "微缩模型质感，移轴虚化，仿佛桌面上的小世界"),
    ("剪纸", "层叠剪纸效果，边缘利落，纸张投下柔和阴影"),
    ("流光", "长曝光的流动光轨，深色背景，动感强烈"),
    ("极简", "极简构图，大面积留白，只保留最重要的元素"),
];

/// A row of `prompt_templates`. Its place in the list is its `sort`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DemoTemplate {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) prompt: String,
    pub(super) category: String,
    pub(super) thumbnail_url: String,
    /// A JSON array of addresses.
    pub(super) preview_images: String,
    pub(super) usage_count: i64,
    pub(super) is_hot: bool,
    pub(super) sort: u32,
    pub(super) created_at: UnixMillis,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Original {
    id: String,
    category: String,
    hot: bool,
    title: String,
    description: String,
    prompt: String,
}

/// The first `count` templates; originals before variations.
///
/// # Errors
///
/// When the built-in file is no valid JSON, which a test rules out.
pub(super) fn templates(
    seed: u64,
    count: u32,
    media_base: &str,
) -> Result<Vec<DemoTemplate>, serde_json::Error> {
    let originals: Vec<Original> = serde_json::from_str(FILE)?;
    let rounds = originals
        .iter()
        .map(|original| (0, original))
        .chain((1..).flat_map(|round| originals.iter().map(move |original| (round, original))));
    Ok((0..count)
        .zip(rounds)
        .map(|(n, (round, original))| {
            let dice = &mut Dice::new(seed, TEMPLATE_DICE, n);
            let created_at = TEMPLATES.time(n, count, dice);
            template(n, round, original, created_at, dice, media_base)
        })
        .collect())
}

fn template(
    n: u32,
    round: usize,
    original: &Original,
    created_at: UnixMillis,
    dice: &mut Dice,
    media_base: &str,
) -> DemoTemplate {
    let Original { id, category, hot, title, description, prompt } = original;
    // Each picture of a template is one file: the variations of a template share them.
    let previews: Vec<String> =
        (1..=3).map(|k| format!("{media_base}/seed/template-{id}-{k}.png")).collect();
    let thumbnail_url = format!("{media_base}/seed/template-{id}.png");
    let (id, title, prompt) = match round.checked_sub(1) {
        None => (id.clone(), title.clone(), prompt.clone()),
        Some(variation) => {
            let (name, addition) = VARIATIONS[variation % VARIATIONS.len()];
            let again = match variation / VARIATIONS.len() {
                0 => String::new(),
                times => format!(" {}", times + 1),
            };
            (
                format!("{id}-{}", round + 1),
                format!("{title}·{name}{again}"),
                format!("{prompt}；{addition}"),
            )
        }
    };
    DemoTemplate {
        id,
        title,
        description: description.clone(),
        prompt,
        category: category.clone(),
        thumbnail_url,
        preview_images: serde_json::Value::from(previews).to_string(),
        // What is hot is used more.
        usage_count: dice.below(800) + if *hot && round == 0 { 1_200 } else { 0 },
        is_hot: *hot && round == 0,
        sort: n + 1,
        created_at,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn some(count: u32) -> Vec<DemoTemplate> {
        templates(42, count, "https://a.example/media").unwrap()
    }

    #[test]
    fn the_file_holds_thirty_good_ones_in_six_categories() {
        let all = some(30);
        assert_eq!(all.len(), 30);
        let categories: HashSet<&str> = all.iter().map(|t| t.category.as_str()).collect();
        assert_eq!(categories.len(), 6);
        assert!(all.iter().all(|t| t.category.bytes().all(|b| b.is_ascii_lowercase())));
        assert!(all.iter().all(|t| (40..=200).contains(&t.prompt.chars().count())));
        assert!(all.iter().all(|t| !t.title.is_empty() && !t.description.is_empty()));
        assert!((6..=15).contains(&all.iter().filter(|t| t.is_hot).count()));
    }

    #[test]
    fn few_are_the_first_of_many() {
        assert_eq!(some(0), []);
        let (few, many) = (some(5), some(200));
        assert!(few.iter().zip(&many).all(|(a, b)| (&a.id, &a.prompt) == (&b.id, &b.prompt)));
    }

    #[test]
    fn variations_differ_in_id_title_and_prompt() {
        let all = some(1_000);
        assert_eq!(all.len(), 1_000);
        let ids: HashSet<&str> = all.iter().map(|t| t.id.as_str()).collect();
        let titles: HashSet<&str> = all.iter().map(|t| t.title.as_str()).collect();
        assert_eq!((ids.len(), titles.len()), (1_000, 1_000));
        assert_eq!(
            (all[30].id.as_str(), all[30].title.as_str()),
            ("portrait-film-2", "胶片质感人像·晨雾")
        );
        assert_eq!(all[12 * 30 + 30].title, "胶片质感人像·晨雾 2");
        assert_ne!(all[30].prompt, all[0].prompt);
        assert!(all.is_sorted_by(|a, b| a.created_at < b.created_at && a.sort < b.sort));
    }
}
