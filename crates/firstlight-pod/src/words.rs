//! How actions and events read to people, in a line each. Names and outcomes, never contents: what an environment or
//! a volume holds may be secret.

use crate::action::{Do, Signal};
use crate::event::{Event, Hook, ImageFailure, Instance, ProbeKind, StartFailure, StopReason};
use crate::spec::SourceRef;
use std::fmt::{Display, Formatter, Result};

impl Display for Instance {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}/{}", self.container, self.attempt)
    }
}

impl Display for Hook {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Hook::PostStart => "postStart",
            Hook::PreStop => "preStop",
        })
    }
}

impl Display for ProbeKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            ProbeKind::Startup => "startup",
            ProbeKind::Liveness => "liveness",
            ProbeKind::Readiness => "readiness",
        })
    }
}

impl Display for StopReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            StopReason::PostStart => "its postStart hook failed",
            StopReason::Changed => "its image changed",
            StopReason::Startup => "its startup probe failed",
            StopReason::Liveness => "its liveness probe failed",
        })
    }
}

impl Display for SourceRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            SourceRef::ConfigMap(name) => write!(f, "configmap {name}"),
            SourceRef::Secret(name) => write!(f, "secret {name}"),
            SourceRef::Claim(name) => write!(f, "persistentvolumeclaim {name}"),
        }
    }
}

impl Display for Do {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Do::PrepareVolumes { volumes, .. } => {
                f.write_str("PrepareVolumes")?;
                volumes.iter().try_for_each(|volume| write!(f, " {}", volume.name))
            }
            Do::CreateSandbox { attempt, .. } => write!(f, "CreateSandbox {attempt}"),
            Do::Pull { instance, image, .. } => write!(f, "Pull {instance} {image}"),
            Do::Create { instance, sandbox, launch: _, ahead } => {
                write!(f, "Create {instance} in sandbox {sandbox}{}", if *ahead { " ahead" } else { "" })
            }
            Do::Discard { instance } => write!(f, "Discard {instance}"),
            Do::Start { instance } => write!(f, "Start {instance}"),
            Do::Hook { instance, hook, .. } => write!(f, "Hook {instance} {hook}"),
            Do::Probe { instance, probe, .. } => write!(f, "Probe {instance} {probe}"),
            Do::Retire { instance, reason } => write!(f, "Retire {instance}: {reason}"),
            Do::RestartAll { walk, because } => write!(f, "RestartAll {walk}: {because}"),
            Do::Signal { instance, signal } => match signal {
                Signal::Stop => write!(f, "Signal {instance} Stop"),
                Signal::Kill => write!(f, "Signal {instance} Kill"),
            },
            Do::RemoveSandbox { attempt } => write!(f, "RemoveSandbox {attempt}"),
            Do::Forget => f.write_str("Forget"),
        }
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Event::Asked { what, .. } => write!(f, "asked: {what}"),
            Event::Said { status, .. } => write!(f, "said: {}", status.phase.as_str()),
            Event::Written => write!(f, "what was said is written"),
            Event::Deletion { grace, .. } => write!(f, "deletion asked, grace {}", grace.go()),
            Event::Source { source, content: Some(content) } => write!(f, "{source} has {} keys", content.len()),
            Event::Source { source, content: None } => write!(f, "{source} does not exist"),
            Event::VolumesReady { .. } => f.write_str("volumes ready"),
            Event::VolumesFailed { volume, message, .. } => write!(f, "volume {volume} failed: {message}"),
            Event::VolumeUsed { volume, bytes, .. } => write!(f, "volume {volume} holds {bytes} bytes"),
            Event::SandboxReady { attempt, pod_ip, .. } => write!(f, "sandbox {attempt} ready at {pod_ip}"),
            Event::SandboxFailed { attempt, message, .. } => write!(f, "sandbox {attempt} failed: {message}"),
            Event::SandboxGone { attempt, .. } => write!(f, "sandbox {attempt} gone"),
            Event::Pulling { instance, image, .. } => write!(f, "{instance} fetches image {image}"),
            Event::ImageReady { instance, image, pulled, .. } => match pulled {
                Some((took, _)) => write!(f, "{instance} has image {image}, fetched in {} ms", took.0),
                None => write!(f, "{instance} has image {image}"),
            },
            Event::ImageFailed { instance, image, failure, message, .. } => {
                let failure = match failure {
                    ImageFailure::Pull => "cannot be fetched",
                    ImageFailure::NeverPull => "is absent and may not be fetched",
                    ImageFailure::InvalidName => "has no valid name",
                    ImageFailure::Inspect => "is unusable",
                };
                write!(f, "{instance}: image {image} {failure}: {message}")
            }
            Event::Created { instance, .. } => write!(f, "{instance} created"),
            Event::NotAhead { instance } => write!(f, "{instance} not created ahead: its image is not here"),
            Event::StartFailed { instance, failure, message, .. } => {
                let step = match failure {
                    StartFailure::Config => "put together",
                    StartFailure::Create => "created",
                    StartFailure::Run => "run",
                };
                write!(f, "{instance} could not be {step}: {message}")
            }
            Event::Starting { instance, .. } => write!(f, "{instance} is about to start"),
            Event::Started { instance, .. } => write!(f, "{instance} started"),
            Event::Exited { instance, exit } => {
                let oom = if exit.oom { ", out of memory" } else { "" };
                write!(f, "{instance} exited with code {}{oom}", exit.code)
            }
            Event::Discarded { instance } => write!(f, "{instance} discarded"),
            Event::Retired { instance, reason, .. } => write!(f, "{instance} is to end: {reason}"),
            Event::RestartAll { walk, because, .. } => {
                write!(f, "all containers are restarted for the {walk}. time, because of {because}")
            }
            Event::HookDone { instance, hook, outcome, .. } => match outcome {
                Ok(()) => write!(f, "{hook} hook of {instance} done"),
                Err(cause) => write!(f, "{hook} hook of {instance} failed: {cause}"),
            },
            Event::ProbeWarned { instance, probe, message } => {
                write!(f, "{probe} probe of {instance} warns: {message}")
            }
            Event::Probed { instance, probe, outcome, .. } => match outcome {
                Ok(()) => write!(f, "{probe} probe of {instance} succeeded"),
                Err(cause) => write!(f, "{probe} probe of {instance} failed: {cause}"),
            },
        }
    }
}
