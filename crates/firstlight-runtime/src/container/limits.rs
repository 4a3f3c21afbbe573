//! Which kernel limits follow from requests and limits? Pure.

use crate::wire::Limits;
use firstlight_pod::spec::Resources;

/// The period CPU quotas are counted in (upstream: `pkg/kubelet/cm/helpers_linux.go`, `QuotaPeriod`).
pub(crate) const CPU_PERIOD_US: u64 = 100_000;

/// Most processes in one container, against fork bombs (S30): CRI-O's default.
pub(crate) const PIDS: i64 = 4096;

/// Smallest weight and quota the kernel takes (upstream: `MinShares`, `MinQuotaPeriod`).
const MIN_SHARES: u64 = 2;
const MIN_QUOTA_US: u64 = 1000;

/// The limits of a container with these resources. A request of memory limits nothing: it decides `oom_score`, which is
/// passed on.
pub(crate) fn of(resources: &Resources, oom_score: i32) -> Limits {
    let Resources { cpu_request, cpu_limit, memory_request: _, memory_limit } = *resources;
    Limits {
        memory: memory_limit.filter(|&m| m > 0).map(|m| i64::try_from(m).unwrap_or(i64::MAX)),
        cpu_shares: Some(shares(cpu_request.or(cpu_limit).unwrap_or(0))),
        cpu_quota_us: cpu_limit.filter(|&c| c > 0).map(quota),
        oom_score_adj: oom_score,
    }
}

fn shares(millicores: u64) -> u64 {
    (millicores.saturating_mul(1024) / 1000).max(MIN_SHARES)
}

fn quota(millicores: u64) -> i64 {
    let quota = (millicores.saturating_mul(CPU_PERIOD_US) / 1000).max(MIN_QUOTA_US);
    i64::try_from(quota).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
