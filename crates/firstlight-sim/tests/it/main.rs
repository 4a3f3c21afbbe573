//! Lives of a whole node, told by seeds.

use firstlight_sim::{Flaw, Life, live};

/// How many lives are lived. `SEEDS=100000` lives more of them, `FIRST=17 SEEDS=1` one again.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("FIRST").unwrap_or(0);
    first..first + number("SEEDS").unwrap_or(usual)
}

/// Lines of a story that are printed.
const LINES: usize = 30;

/// The end of the story that led to what is broken.
fn story(seed: u64, life: &Life) -> String {
    let last = life.told.len().saturating_sub(LINES);
    format!("seed {seed}: {:#?}\n{}\n", life.violations, life.told[last..].join("\n"))
}

#[test]
fn a_thousand_lives_break_no_law() {
    let broken: Vec<String> = seeds(1000)
        .filter_map(|seed| {
            let life = live(seed, None);
            (!life.violations.is_empty()).then(|| story(seed, &life))
        })
        .collect();
    assert!(broken.is_empty(), "{} lives are broken:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_seed_told_again_is_the_same_life_word_for_word() {
    for seed in 0..20 {
        assert_eq!(live(seed, None), live(seed, None), "seed {seed}");
    }
}

#[test]
fn what_is_broken_on_purpose_is_found() {
    for flaw in Flaw::ALL {
        let found = (0..50).find(|seed| !live(*seed, Some(flaw)).violations.is_empty());
        assert!(found.is_some(), "{flaw:?} is never found");
    }
}
