use super::*;

const GIB: u64 = 1 << 30;

#[test]
fn nothing_asked_is_the_least_weight() {
    let limits = of(&Resources::default(), 1000);
    assert_eq!(limits, Limits { memory: None, cpu_shares: Some(2), cpu_quota_us: None, oom_score_adj: 1000 });
}

#[test]
fn requests_become_weights_and_limits_become_quotas() {
    let asked = Resources {
        cpu_request: Some(250),
        cpu_limit: Some(1500),
        memory_request: Some(4 * GIB),
        memory_limit: Some(8 * GIB),
    };
    let expected =
        Limits { memory: Some(8 << 30), cpu_shares: Some(256), cpu_quota_us: Some(150_000), oom_score_adj: 750 };
    assert_eq!(of(&asked, 750), expected);
}

#[test]
fn a_limit_alone_counts_as_request_too() {
    let asked = Resources { cpu_limit: Some(1), memory_limit: Some(16 * GIB), ..Resources::default() };
    let limits = of(&asked, 2);
    assert_eq!((limits.cpu_shares, limits.cpu_quota_us, limits.oom_score_adj), (Some(2), Some(1000), 2));
}
