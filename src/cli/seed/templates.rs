//! The prompt templates of the demo: those that every database begins with, and beyond them variations
//! of the same in another light or season.

use std::collections::HashSet;

use super::dice::{Dice, Window};
use crate::base::time::UnixMillis;

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
    pub(super) usage_count: i64,
    pub(super) sort: u32,
    pub(super) created_at: UnixMillis,
}

/// A template of the database that variations are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) prompt: String,
    pub(super) category: String,
}

/// The first `count` variations of `originals` whose ids are not taken, round by round; none without
/// originals. They come behind the place `last`.
pub(super) fn variations(
    seed: u64,
    originals: &[Original],
    taken: &HashSet<String>,
    last: u32,
    count: u32,
) -> Vec<DemoTemplate> {
    let rounds = (0..).flat_map(|round| originals.iter().map(move |original| (round, original)));
    let rounds =
        rounds.filter(|(round, original)| !taken.contains(&variation_id(*round, original)));
    if originals.is_empty() {
        return Vec::new();
    }
    (0..count)
        .zip(rounds)
        .map(|(n, (round, original))| {
            let dice = &mut Dice::new(seed, TEMPLATE_DICE, n);
            let created_at = TEMPLATES.time(n, count, dice);
            DemoTemplate {
                sort: last.saturating_add(n).saturating_add(1),
                usage_count: dice.below(800),
                created_at,
                ..variation(round, original)
            }
        })
        .collect()
}

fn variation_id(round: usize, original: &Original) -> String {
    format!("{}-{}", original.id, round + 2)
}

fn variation(round: usize, original: &Original) -> DemoTemplate {
    let Original { title, description, prompt, category, .. } = original;
    let (name, addition) = VARIATIONS[round % VARIATIONS.len()];
    let again = match round / VARIATIONS.len() {
        0 => String::new(),
        times => format!(" {}", times + 1),
    };
    DemoTemplate {
        id: variation_id(round, original),
        title: format!("{title}·{name}{again}"),
        description: description.clone(),
        prompt: format!("{prompt}；{addition}"),
        category: category.clone(),
        usage_count: 0,
        sort: 0,
        created_at: UnixMillis(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn originals() -> Vec<Original> {
        let one = |n: usize| Original {
            id: format!("template-{n}"),
            title: format!("模板{n}"),
            description: "说明".to_owned(),
            prompt: "山水".to_owned(),
            category: "guofeng".to_owned(),
        };
        (0..30).map(one).collect()
    }

    fn some(count: u32) -> Vec<DemoTemplate> {
        variations(42, &originals(), &HashSet::new(), 30, count)
    }

    #[test]
    fn an_id_that_is_taken_is_passed_over() {
        let taken = HashSet::from(["template-1-2".to_owned()]);
        let all = variations(42, &originals(), &taken, 30, 2);
        assert_eq!([&all[0].id, &all[1].id], ["template-0-2", "template-2-2"]);
    }

    #[test]
    fn few_are_the_first_of_many() {
        assert_eq!(some(0), []);
        assert_eq!(variations(42, &[], &HashSet::new(), 0, 5), []);
        let (few, many) = (some(5), some(200));
        assert!(few.iter().zip(&many).all(|(a, b)| (&a.id, &a.prompt) == (&b.id, &b.prompt)));
    }

    #[test]
    fn variations_differ_in_id_title_and_prompt() {
        let all = some(970);
        let ids: HashSet<&str> = all.iter().map(|t| t.id.as_str()).collect();
        let titles: HashSet<&str> = all.iter().map(|t| t.title.as_str()).collect();
        assert_eq!((ids.len(), titles.len()), (970, 970));
        assert_eq!((all[0].id.as_str(), all[0].title.as_str()), ("template-0-2", "模板0·晨雾"));
        assert_eq!(all[12 * 30].title, "模板0·晨雾 2");
        assert_eq!((all[0].sort, all[969].sort), (31, 1_000));
        assert!(all.is_sorted_by(|a, b| a.created_at < b.created_at && a.sort < b.sort));
    }
}
