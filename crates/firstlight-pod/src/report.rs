//! What people are told as Kubernetes Events (section 1.12), derived from what happened and what is waited for.
//!
//! A container created ahead is told of at its turn, so that people read `Pulled`, `Created`, `Started` in the
//! order they know.

use crate::action::{Do, Signal};
use crate::decide::turn::Role;
use crate::event::{Event, Hook, ImageFailure, Instance, ProbeKind, StartFailure, StopReason};
use crate::plan::Wait;
use crate::seen::{Coming, HookRun, Live, Next, Sandbox, Seen, Stage};
use crate::spec::{Container, Init, SourceRef, Spec, VolumeKind};
use crate::status::Status;
use crate::time::Millis;

/// A Kubernetes Event to record about the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// CamelCase: `Pulled`, `BackOff`, ...
    pub reason: &'static str,
    /// The message, word for word as Kubernetes says it.
    pub message: String,
    /// The container it is about: becomes `spec.containers{NAME}` (EVT-1).
    pub container: Option<String>,
}

/// What an event is worth telling. Called once for each event, before it is folded into `seen`.
#[must_use]
pub fn of_event(spec: &Spec, seen: &Seen, event: &Event) -> Vec<Report> {
    let mut reports = reports(spec, seen, event);
    reports.iter_mut().for_each(|report| without_ids(seen, report));
    reports
}

/// People know containers by their names (STA-15).
fn without_ids(seen: &Seen, report: &mut Report) {
    let Some(name) = &report.container else { return };
    for id in seen.history(name).ids().filter(|id| !id.is_empty()) {
        report.message = report.message.replace(id, name);
    }
}

fn reports(spec: &Spec, seen: &Seen, event: &Event) -> Vec<Report> {
    match event {
        Event::Asked { what, .. } => of_asked(spec, seen, what),
        Event::Said { status, .. } => of_said(seen, status),
        Event::VolumesFailed { volume, message, image: Some(failure), .. } => {
            let image = spec.volumes.iter().find_map(|known| match &known.kind {
                VolumeKind::Image { reference, .. } if known.name == *volume => Some(reference.as_str()),
                _ => None,
            });
            let (reason, first, error) = failed_image(image.unwrap_or_default(), *failure, message);
            vec![of_pod(reason, first), of_pod("Failed", format!("Error: {error}"))]
        }
        Event::VolumesFailed { volume, message, image: None, .. } => {
            vec![of_pod("FailedMount", format!("MountVolume.SetUp failed for volume \"{volume}\" : {message}"))]
        }
        Event::SandboxFailed { message, .. } => {
            vec![of_pod("FailedCreatePodSandBox", format!("Failed to create pod sandbox: {message}"))]
        }
        Event::Pulling { instance, image, .. } => vec![pulling(instance, image)],
        Event::ImageReady { instance, image, pulled, .. } => of_image(seen, instance, image, *pulled),
        Event::ImageFailed { instance, image, failure, message, .. } => {
            of_image_failure(seen, instance, image, *failure, message)
        }
        Event::Created { instance, .. } if !is_ahead(seen, instance) => vec![created(instance)],
        Event::StartFailed { instance, failure, message, .. } if !is_ahead(seen, instance) => {
            let message = match failure {
                StartFailure::Config | StartFailure::Create | StartFailure::Run => format!("Error: {message}"),
            };
            vec![warning(instance, "Failed", message)]
        }
        Event::Started { instance, .. } => vec![normal(instance, "Started", "Container started".to_owned())],
        Event::Retired { instance, reason, .. } => retired(spec, seen, instance, *reason).into_iter().collect(),
        Event::HookDone { instance, hook, outcome: Err(message), .. } => vec![hook_failed(instance, *hook, message)],
        Event::Probed { instance, probe, outcome: Err(message), .. } => {
            vec![warning(instance, "Unhealthy", format!("{} probe failed: {message}", capital(*probe)))]
        }
        Event::ProbeWarned { instance, probe, message } => {
            vec![warning(instance, "ProbeWarning", format!("{} probe warning: {message}", capital(*probe)))]
        }
        Event::Created { .. }
        | Event::StartFailed { .. }
        | Event::HookDone { outcome: Ok(()), .. }
        | Event::Probed { outcome: Ok(()), .. }
        | Event::Written
        | Event::Deletion { .. }
        | Event::Source { .. }
        | Event::VolumesReady { .. }
        | Event::VolumeUsed { .. }
        | Event::SandboxReady { .. }
        | Event::SandboxGone { .. }
        | Event::NotAhead { .. }
        | Event::Starting { .. }
        | Event::RestartAll { .. }
        | Event::Exited { .. }
        | Event::Discarded { .. } => Vec::new(),
    }
}

/// What a wait is worth telling. Called for every wait of a plan that was not among those of the plan before.
#[must_use]
pub fn of_wait(spec: &Spec, wait: &Wait) -> Vec<Report> {
    let Wait { container, reason, what, .. } = wait;
    let about = |warning: bool, reason: &'static str, message: String| Report {
        warning,
        reason,
        message,
        container: container.clone(),
    };
    let name = container.as_deref().unwrap_or_default();
    match *reason {
        "FailedMount" => vec![about(true, "FailedMount", what.clone())],
        "Unschedulable" => vec![about(true, "FailedScheduling", what.clone())],
        "CrashLoopBackOff" => {
            let id = &spec.id;
            let pod = format!("{}_{}({})", id.name, id.namespace, id.uid);
            vec![about(true, "BackOff", format!("Back-off restarting failed container {name} in pod {pod}"))]
        }
        "ImagePullBackOff" => {
            let image = spec.container(name).map_or("", |container| &container.image);
            vec![
                about(false, "BackOff", format!("Back-off pulling image \"{image}\"")),
                about(true, "Failed", "Error: ImagePullBackOff".to_owned()),
            ]
        }
        "CreateContainerConfigError" if wait.until.is_none() => vec![about(true, "Failed", format!("Error: {what}"))],
        _ => Vec::new(),
    }
}

fn of_asked(spec: &Spec, seen: &Seen, what: &Do) -> Vec<Report> {
    match what {
        // SBX-2.
        Do::CreateSandbox { .. } => match &seen.sandbox {
            Sandbox::Gone { .. } => vec![Report {
                warning: false,
                ..of_pod("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.".to_owned())
            }],
            Sandbox::Never | Sandbox::Creating { .. } | Sandbox::Ready { .. } | Sandbox::Failed { .. } => Vec::new(),
        },
        Do::Pull { .. } => missing_secrets(spec, seen),
        Do::Start { instance } => match coming(seen, instance) {
            Some(Coming { stage: Stage::Created { ahead: true }, launch, .. }) => {
                let image = launch.as_ref().map_or("", |launch| &launch.image);
                vec![present(instance, image), created(instance)]
            }
            Some(_) | None => Vec::new(),
        },
        Do::Hook { instance, hook: Hook::PreStop, .. } => killing(seen, instance).into_iter().collect(),
        Do::Signal { instance, signal } => {
            let abandoned = live(seen, instance).is_some_and(|live| matches!(live.pre_stop, HookRun::Asked(_)));
            let hook = (abandoned && *signal == Signal::Stop)
                .then(|| hook_failed(instance, Hook::PreStop, "it was not over when the grace period was"));
            killing(seen, instance).into_iter().chain(hook).collect()
        }
        Do::PrepareVolumes { .. }
        | Do::Create { .. }
        | Do::Discard { .. }
        | Do::Hook { hook: Hook::PostStart, .. }
        | Do::Probe { .. }
        | Do::Retire { .. }
        | Do::RestartAll { .. }
        | Do::RemoveSandbox { .. }
        | Do::Forget => Vec::new(),
    }
}

/// The reasons a pod itself is given, when they are new (EVT-10).
fn of_said(seen: &Seen, status: &Status) -> Vec<Report> {
    let known = seen.said.as_deref().is_none_or(|said| said.reason == status.reason);
    match status.reason.as_str() {
        "DeadlineExceeded" if !known => {
            vec![Report { warning: false, ..of_pod("DeadlineExceeded", status.message.clone()) }]
        }
        "Evicted" if !known => vec![of_pod("Evicted", status.message.clone())],
        "SandboxLost" if !known => vec![of_pod("SandboxLost", status.message.clone())],
        _ => Vec::new(),
    }
}

/// IMG-3, IMG-4.
fn of_image(seen: &Seen, instance: &Instance, image: &str, pulled: Option<(Millis, u64)>) -> Vec<Report> {
    let Some((took, bytes)) = pulled else { return vec![present(instance, image)] };
    let took = go_millis(took);
    let message = format!(
        "Successfully pulled image \"{image}\" in {took} ({took} including waiting). Image size: {bytes} bytes."
    );
    let first = untold_pulling(seen, instance, image);
    first.into_iter().chain([normal(instance, "Pulled", message)]).collect()
}

/// A pull may be over, well or not, before anything was transferred; that it began is told then (IMG-4).
fn untold_pulling(seen: &Seen, instance: &Instance, image: &str) -> Option<Report> {
    let told = match coming(seen, instance) {
        Some(Coming { stage: Stage::Pulling { transfer, .. }, .. }) => *transfer,
        Some(_) | None => false,
    };
    (!told).then(|| pulling(instance, image))
}

/// IMG-2, IMG-5, IMG-8.
fn of_image_failure(
    seen: &Seen,
    instance: &Instance,
    image: &str,
    failure: ImageFailure,
    message: &str,
) -> Vec<Report> {
    let (reason, first, error) = failed_image(image, failure, message);
    let began = match failure {
        ImageFailure::Pull => untold_pulling(seen, instance, image),
        ImageFailure::NeverPull | ImageFailure::InvalidName | ImageFailure::Inspect => None,
    };
    let failed = [warning(instance, reason, first), warning(instance, "Failed", format!("Error: {error}"))];
    began.into_iter().chain(failed).collect()
}

/// Reason and message of the first event about an image that cannot be had, and the error that the second one names.
fn failed_image(image: &str, failure: ImageFailure, message: &str) -> (&'static str, String, &'static str) {
    match failure {
        ImageFailure::Pull => ("Failed", format!("Failed to pull image \"{image}\": {message}"), "ErrImagePull"),
        ImageFailure::NeverPull => (
            "ErrImageNeverPull",
            format!("Container image \"{image}\" is not present with pull policy of Never"),
            "ErrImageNeverPull",
        ),
        ImageFailure::InvalidName => {
            ("InspectFailed", format!("Failed to apply default image tag \"{image}\": {message}"), "InvalidImageName")
        }
        ImageFailure::Inspect => {
            ("InspectFailed", format!("Failed to inspect image \"{image}\": {message}"), "ImageInspectError")
        }
    }
}

/// A container's end is told once, with its reason (EVT-3): here if it is to end although its pod lives on.
fn retired(spec: &Spec, seen: &Seen, instance: &Instance, reason: StopReason) -> Option<Report> {
    live(seen, instance).filter(|live| live.stop_asked.is_none() && live.retired.is_none())?;
    let (container, role) = find(spec, &instance.container)?;
    Some(normal(instance, "Killing", reason.message(spec, container, role)))
}

/// Here if its pod ends, with the first step of that.
fn killing(seen: &Seen, instance: &Instance) -> Option<Report> {
    live(seen, instance).filter(|live| live.stop_asked.is_none() && live.retired.is_none())?;
    Some(normal(instance, "Killing", format!("Stopping container {}", instance.container)))
}

fn missing_secrets(spec: &Spec, seen: &Seen) -> Vec<Report> {
    let missing: Vec<&str> = spec
        .pull_secrets
        .iter()
        .filter(|name| matches!(seen.sources.get(&SourceRef::Secret((*name).clone())), Some(None)))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let message = format!(
        "Unable to retrieve some image pull secrets ({}); attempting to pull the image may not succeed.",
        missing.join(", ")
    );
    vec![of_pod("FailedToRetrieveImagePullSecret", message)]
}

fn find<'a>(spec: &'a Spec, name: &str) -> Option<(&'a Container, Role)> {
    let init = spec.inits.iter().find(|init| init.container().name == name).map(|init| match init {
        Init::Once(container) => (container, Role::Once),
        Init::Sidecar(container) => (container, Role::Sidecar),
    });
    let main = || spec.mains.iter().find(|main| main.name == name).map(|main| (main, Role::Main));
    let ephemerals = || spec.ephemerals.iter().map(|ephemeral| &ephemeral.container);
    let ephemeral = || ephemerals().find(|other| other.name == name).map(|other| (other, Role::Ephemeral));
    init.or_else(main).or_else(ephemeral)
}

fn coming<'a>(seen: &'a Seen, instance: &Instance) -> Option<&'a Coming> {
    match seen.history(&instance.container).next() {
        Some(Next::Coming(coming)) if coming.attempt == instance.attempt => Some(coming),
        Some(Next::Coming(_) | Next::Live(_)) | None => None,
    }
}

fn live<'a>(seen: &'a Seen, instance: &Instance) -> Option<&'a Live> {
    seen.history(&instance.container).live().filter(|live| live.attempt == instance.attempt)
}

/// Whether its turn has not come. What happens to it until then is told when it has, or never: a pod that is deleted
/// meanwhile has not failed.
fn is_ahead(seen: &Seen, instance: &Instance) -> bool {
    coming(seen, instance).is_some_and(|coming| {
        matches!(coming.stage, Stage::Creating { ahead: true, .. } | Stage::Created { ahead: true })
    })
}

fn capital(probe: ProbeKind) -> &'static str {
    match probe {
        ProbeKind::Startup => "Startup",
        ProbeKind::Liveness => "Liveness",
        ProbeKind::Readiness => "Readiness",
    }
}

fn of_pod(reason: &'static str, message: String) -> Report {
    Report { warning: true, reason, message, container: None }
}

fn normal(instance: &Instance, reason: &'static str, message: String) -> Report {
    Report { warning: false, reason, message, container: Some(instance.container.clone()) }
}

fn warning(instance: &Instance, reason: &'static str, message: String) -> Report {
    Report { warning: true, ..normal(instance, reason, message) }
}

fn pulling(instance: &Instance, image: &str) -> Report {
    normal(instance, "Pulling", format!("Pulling image \"{image}\""))
}

fn present(instance: &Instance, image: &str) -> Report {
    normal(instance, "Pulled", format!("Container image \"{image}\" already present on machine"))
}

fn created(instance: &Instance) -> Report {
    normal(instance, "Created", "Container created".to_owned())
}

/// EVT-7; the cause is added, because nobody but us could tell it (S-21).
fn hook_failed(instance: &Instance, hook: Hook, cause: &str) -> Report {
    match hook {
        Hook::PostStart => warning(instance, "FailedPostStartHook", format!("PostStartHook failed: {cause}")),
        Hook::PreStop => warning(instance, "FailedPreStopHook", format!("PreStopHook failed: {cause}")),
    }
}

/// Printed as Go prints a duration of whole milliseconds: `345ms`, `1.2s`, `1m2.345s`.
fn go_millis(length: Millis) -> String {
    let (minutes, rest) = (length.0 / 60_000, length.0 % 60_000);
    if minutes == 0 && rest < 1000 {
        return if rest == 0 { "0s".to_owned() } else { format!("{rest}ms") };
    }
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{dot}{fraction}s", rest / 1000);
    if minutes == 0 { seconds } else { format!("{}{seconds}", Millis::secs(minutes * 60).go().trim_end_matches("0s")) }
}

#[cfg(test)]
mod tests;
