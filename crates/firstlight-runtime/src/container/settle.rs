//! What exactly is to be created? Merges what the manifest says with what the image says.

use super::seccomp::Filters;
use super::{capabilities, limits};
use crate::images::Image;
use crate::sys::exec::DEFAULT_PATH;
use crate::wire::{ImageUser, Order, OrderMount, Root};
use firstlight_pod::PodId;
use firstlight_pod::action::Launch;
use firstlight_pod::event::{Instance, StartFailure};
use firstlight_pod::spec::{Mount, Seccomp, Security};
use std::path::PathBuf;

/// What else is known about the place it is created in.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// Whose container.
    pub(crate) pod: &'a PodId,
    /// The pod's host name.
    pub(crate) hostname: &'a str,
    /// Directory of its log files.
    pub(crate) log_dir: PathBuf,
    /// Whether a device controller holds for containers here.
    pub(crate) guarded_devices: bool,
    /// Whether `privileged: true` may be asked for.
    pub(crate) allow_privileged: bool,
    /// System call filters.
    pub(crate) filters: &'a Filters,
}

/// Why it cannot be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Which step failed.
    pub(crate) failure: StartFailure,
    /// Why.
    pub(crate) message: String,
}

/// The order to create `instance` with this id.
///
/// # Errors
/// What cannot be put together, in Kubernetes' words where it has them.
pub(crate) fn settle(
    instance: Instance,
    id: String,
    launch: Launch,
    image: &Image,
    place: &Place<'_>,
) -> Result<Order, Refused> {
    let Launch {
        image: _,
        command,
        args,
        env,
        working_dir,
        mounts,
        security,
        resources,
        oom_score,
        stop_signal: own_signal,
        termination_message_path,
        termination_message_from_log,
        target,
        stdin,
        stdin_once,
        tty,
        draft: _,
    } = launch;
    if security.privileged && !place.allow_privileged {
        return Err(config("securityContext.privileged: refused; start the engine with --allow-privileged".to_owned()));
    }
    check_non_root(&security, image, place, &instance.container)?;
    let capabilities = capabilities::of(&security, place.guarded_devices).map_err(config)?;
    let filtered = !security.privileged && security.seccomp == Seccomp::RuntimeDefault;
    let filter = filtered.then(|| place.filters.of(&capabilities)).transpose();
    let filter = filter.map_err(|error| config(format!("securityContext.seccompProfile: {error:#}")))?;
    let cwd = working_dir.filter(|d| !d.is_empty()).unwrap_or_else(|| image.config.working_dir.clone());
    Ok(Order {
        instance,
        id,
        image_id: image.id.clone(),
        root: Root { layers: image.layers.clone(), masks: image.masks.clone(), read_only: security.read_only_root },
        args: arguments(command, args, image)?,
        env: environment(env, image, place, tty),
        cwd: if cwd.starts_with('/') { cwd } else { format!("/{cwd}") },
        user: ImageUser {
            name: image.config.user.clone(),
            uid: security.user,
            gid: security.group,
            groups: security.groups.clone(),
        },
        mounts: mounts.into_iter().map(order_mount).collect(),
        capabilities,
        no_new_privs: security.no_new_privs,
        filter,
        privileged: security.privileged,
        limits: limits::of(&resources, oom_score),
        stop_signal: match own_signal {
            Some(name) => {
                signal(&name).ok_or_else(|| config(format!("lifecycle.stopSignal: {name:?} is no signal")))?
            }
            None => stop_signal(image.config.stop_signal.as_deref().unwrap_or_default())?,
        },
        termination_path: termination_message_path,
        termination_from_log: termination_message_from_log,
        target,
        stdin,
        stdin_once,
        tty,
        log_dir: place.log_dir.clone(),
    })
}

/// ENV-13.
fn arguments(command: Vec<String>, args: Vec<String>, image: &Image) -> Result<Vec<String>, Refused> {
    let all: Vec<String> = match (command.is_empty(), args.is_empty()) {
        (false, _) => command.into_iter().chain(args).collect(),
        (true, false) => image.config.entrypoint.iter().cloned().chain(args).collect(),
        (true, true) => image.config.entrypoint.iter().chain(&image.config.cmd).cloned().collect(),
    };
    if all.first().is_none_or(String::is_empty) {
        return Err(Refused {
            failure: StartFailure::Create,
            message: "no command specified: neither the container nor its image names one".to_owned(),
        });
    }
    Ok(all)
}

/// ENV-14: the image's variables under the container's, with `PATH`, `HOSTNAME` and, on a terminal, `TERM`.
fn environment(own: Vec<(String, String)>, image: &Image, place: &Place<'_>, tty: bool) -> Vec<(String, String)> {
    let mut env: Vec<(String, String)> = Vec::new();
    let mut set = |name: String, value: String| match env.iter_mut().find(|(known, _)| *known == name) {
        Some(entry) => entry.1 = value,
        None => env.push((name, value)),
    };
    set("PATH".to_owned(), DEFAULT_PATH.to_owned());
    set("HOSTNAME".to_owned(), place.hostname.to_owned());
    if tty {
        set("TERM".to_owned(), "xterm".to_owned());
    }
    for (name, value) in image.config.env.iter().cloned().chain(own) {
        set(name, value);
    }
    env
}

fn order_mount(mount: Mount) -> OrderMount {
    let Mount { volume, path, sub_path, sub_path_expr: _, read_only, recursive_read_only, from_host } = mount;
    OrderMount { volume, path, sub_path, read_only, recursive_read_only, from_host }
}

/// SEC-2 (upstream: `pkg/kubelet/kuberuntime/security_context_others.go`).
fn check_non_root(security: &Security, image: &Image, place: &Place<'_>, container: &str) -> Result<(), Refused> {
    if !security.non_root {
        return Ok(());
    }
    let PodId { namespace, name, uid } = place.pod;
    let whose = format!("(pod: \"{name}_{namespace}({uid})\", container: {container})");
    let user = image.config.user.split(':').next().unwrap_or_default();
    match (security.user, user.parse::<u32>()) {
        (Some(0), _) => Err(config(format!("container's runAsUser breaks non-root policy {whose}"))),
        (Some(_), _) => Ok(()),
        (None, Ok(0)) => Err(config(format!("container has runAsNonRoot and image will run as root {whose}"))),
        (None, Ok(_)) => Ok(()),
        (None, Err(_)) if user.is_empty() => {
            Err(config(format!("container has runAsNonRoot and image will run as root {whose}")))
        }
        (None, Err(_)) => Err(config(format!(
            "container has runAsNonRoot and image has non-numeric user ({user}), cannot verify user is non-root {whose}"
        ))),
    }
}

/// TRM-5: the image's; SIGTERM if it names none.
fn stop_signal(text: &str) -> Result<i32, Refused> {
    if text.is_empty() {
        return Ok(libc::SIGTERM);
    }
    signal(text).ok_or_else(|| Refused {
        failure: StartFailure::Create,
        message: format!("the image's STOPSIGNAL {text:?} is no signal"),
    })
}

/// By name, with or without `SIG`, or by number.
fn signal(text: &str) -> Option<i32> {
    let upper = text.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = SIGNALS.iter().find(|(name, _)| *name == bare).map(|(_, number)| *number);
    known.or_else(|| bare.parse().ok().filter(|n| (1..=64).contains(n))).or_else(|| real_time(bare))
}

/// `RTMIN`, `RTMIN+n`, `RTMAX`, `RTMAX-n` as the C library numbers them.
fn real_time(name: &str) -> Option<i32> {
    const RTMIN: i32 = 34;
    const RTMAX: i32 = 64;
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        _ => rest.strip_prefix(sign)?.parse::<i32>().ok().filter(|n| (0..=RTMAX - RTMIN).contains(n)),
    };
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return Some(RTMIN + offset(rest, '+')?);
    }
    Some(RTMAX - offset(name.strip_prefix("RTMAX")?, '-')?)
}

const SIGNALS: [(&str, i32); 34] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
    // Other names of three of them.
    ("CLD", libc::SIGCHLD),
    ("IOT", libc::SIGIOT),
    ("POLL", libc::SIGPOLL),
];

fn config(message: String) -> Refused {
    Refused { failure: StartFailure::Config, message }
}

#[cfg(test)]
mod tests;
