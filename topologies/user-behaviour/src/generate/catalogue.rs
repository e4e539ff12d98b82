//! What can be bought, and how it is talked about.

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::record::{Attribute, Attributes};

/// A line of business.
#[derive(Debug)]
pub(super) struct Business {
    pub(super) name: &'static str,
    /// Applications that report it.
    pub(super) app: &'static str,
    /// How often it is visited, relative to the others.
    pub(super) weight: u32,
    queries: &'static [&'static str],
    attributes: fn(&mut Attributes, &mut Xoshiro256PlusPlus),
}

pub(super) const BUSINESSES: &[Business] = &[
    Business {
        name: "hotel",
        app: "trip",
        weight: 30,
        queries: &["上海外滩 酒店 🏨", "亲子酒店 西湖", "hotel near 浦东机场", "温泉民宿♨️ 含早"],
        attributes: |to, rng| {
            to.insert("city", pick(CITIES, rng));
            to.insert("nights", rng.random_range(1..8_i64));
            to.insert("price", price(rng, 15_000..300_000));
            to.insert("breakfast", rng.random_bool(0.6));
        },
    },
    Business {
        name: "flight",
        app: "trip",
        weight: 20,
        queries: &["北京到东京 ✈️", "特价机票 春节", "上海→成都 直飞", "红眼航班 🌙"],
        attributes: |to, rng| {
            to.insert("from", pick(CITIES, rng));
            to.insert("to", pick(CITIES, rng));
            to.insert("cabin", pick(&["经济舱", "超级经济舱", "公务舱"], rng));
            to.insert("price", price(rng, 30_000..900_000));
        },
    },
    Business {
        name: "train",
        app: "rail",
        weight: 20,
        queries: &["G7 次 高铁 🚄", "北京南 上海虹桥", "卧铺 夜车", "学生票"],
        attributes: |to, rng| {
            to.insert("from", pick(CITIES, rng));
            to.insert("to", pick(CITIES, rng));
            to.insert("seat", pick(&["二等座", "一等座", "商务座", "硬卧"], rng));
        },
    },
    Business {
        name: "retail",
        app: "mall",
        weight: 25,
        queries: &["羽绒服 男 🧥", "咖啡豆 250g ☕", "wireless 耳机 降噪", "儿童 绘本 \"小王子\""],
        attributes: |to, rng| {
            to.insert("category", pick(&["服饰", "食品", "数码", "图书", "家居🛋️"], rng));
            to.insert("price", price(rng, 990..500_000));
            to.insert("stock", rng.random_range(0..1000_i64));
        },
    },
    Business {
        name: "ticket",
        app: "trip",
        weight: 5,
        queries: &["故宫 门票", "迪士尼 烟花 🎆", "黄山 索道", "博物馆 预约"],
        attributes: |to, rng| {
            to.insert("city", pick(CITIES, rng));
            to.insert("adults", rng.random_range(1..5_i64));
            to.insert("indoor", rng.random_bool(0.3));
        },
    },
];

const CITIES: &[&str] = &["上海", "北京", "杭州", "成都", "西安", "哈尔滨", "乌鲁木齐", "香港", "東京", "Zürich"];

impl Business {
    /// What the user typed, or what the item is like.
    pub(super) fn attributes(&self, action: &str, rng: &mut Xoshiro256PlusPlus) -> Attributes {
        let mut attributes = Attributes::default();
        if action == "search" {
            attributes.insert("query", pick(self.queries, rng));
            attributes.insert("results", rng.random_range(0..5000_i64));
        } else {
            (self.attributes)(&mut attributes, rng);
        }
        attributes
    }
}

pub(super) fn pick<'a>(of: &[&'a str], rng: &mut Xoshiro256PlusPlus) -> &'a str {
    of[rng.random_range(0..of.len())]
}

/// An amount of money with two digits after the point.
fn price(rng: &mut Xoshiro256PlusPlus, cents: std::ops::Range<i32>) -> Attribute {
    Attribute::Float(f64::from(rng.random_range(cents)) / 100.0)
}
