//! What becomes of further processes in containers.

use super::container::{Life, exit_code};
use super::run::{Purpose, Run, Wanted};
use super::turn::Shim;
use crate::clock::now;
use crate::wire::{Record, Refusal, Told};
use firstlight_pod::event::Instance;
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

impl Shim {
    /// Runs a command in a running container.
    ///
    /// # Errors
    /// Why it cannot be run.
    pub(super) fn run_in(&mut self, instance: &Instance, purpose: Purpose, wanted: Wanted) -> Result<(), String> {
        let not_running = || format!("container {:?} is not running", instance.container);
        let container = self.containers.get(instance).ok_or_else(not_running)?;
        let Life::Running { init, .. } = &container.life else { return Err(not_running()) };
        let run =
            Run::begin(self.alone, container, init, &self.cgroups, purpose, wanted).map_err(|e| format!("{e:#}"))?;
        let id = self.fresh_id();
        self.runs.insert(id, run);
        Ok(())
    }

    /// The joiner, the process or its gate says something.
    pub(super) fn run_progresses(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(&id) else { return };
        // The terminal was sent before the gate opened.
        if run.listen().is_err() {
            run.report = None;
            run.kill();
        }
        if run.begins()
            && let Purpose::Session(peer) = run.purpose
        {
            let terminal = run.terminal.take();
            self.tell(peer, &Told::Begun, terminal.into_iter().collect());
        }
    }

    /// The joiner is done.
    pub(super) fn joiner_ends(&mut self, id: u64) {
        self.run_progresses(id);
        let Some(run) = self.runs.get_mut(&id) else { return };
        if let Some(joiner) = &run.joiner
            && matches!(waitpid(Some(joiner.pid), WaitOptions::NOHANG), Ok(None))
        {
            return;
        }
        run.joiner = None;
        if run.process.is_none() {
            // It went without leaving a process behind; why, its gate said.
            self.finish_run(id, 126);
        }
    }

    /// The process ended.
    pub(super) fn run_ends(&mut self, id: u64) {
        let Some(process) = self.runs.get(&id).and_then(|run| run.process.as_ref()) else { return };
        if let Ok(Some((_, status))) = waitpid(Some(process.pid), WaitOptions::NOHANG) {
            self.run_over(id, status);
        }
    }

    /// Some child ended; perhaps one of these.
    pub(super) fn run_process_ended(&mut self, pid: Pid, status: WaitStatus) {
        let of = |run: &Run| run.process.as_ref().is_some_and(|p| p.pid == pid);
        if let Some(id) = self.runs.iter().find(|(_, run)| of(run)).map(|(&id, _)| id) {
            self.run_over(id, status);
            return;
        }
        if let Some(run) = self.runs.values_mut().find(|run| run.joiner.as_ref().is_some_and(|j| j.pid == pid)) {
            run.joiner = None;
        }
    }

    fn run_over(&mut self, id: u64, status: WaitStatus) {
        self.runs.get_mut(&id).into_iter().for_each(Run::close_gate);
        self.run_progresses(id);
        self.finish_run(id, exit_code(status));
    }

    fn finish_run(&mut self, id: u64, code: i32) {
        let Some(mut run) = self.runs.remove(&id) else { return };
        if let Some(joiner) = run.joiner.take() {
            self.leaving.push(joiner);
        }
        while run.collect() {}
        match run.purpose.clone() {
            Purpose::Session(peer) => {
                let told = match run.refusal() {
                    "" => Told::Ended { code },
                    refusal => Told::Refused { reason: Refusal::Failed, message: refusal.to_owned() },
                };
                self.tell_last(peer, &told);
            }
            Purpose::Hook(hook) => {
                let outcome = outcome(&run, code);
                self.facts.add(Record::HookDone { instance: run.instance, hook, outcome, at: now() });
            }
            Purpose::Probe(probe) => {
                let outcome = outcome(&run, code);
                self.tell_control(&Told::Probed { instance: run.instance, probe, outcome, at: now() });
            }
        }
    }
}

/// What a probe's or hook's end means: output is the cause, as in the kubelet.
fn outcome(run: &Run, code: i32) -> Result<(), String> {
    if run.timed_out {
        return Err("command timed out".to_owned());
    }
    if !run.refusal().is_empty() {
        return Err(run.refusal().to_owned());
    }
    match (code, run.collected()) {
        (0, _) => Ok(()),
        (code, output) if output.is_empty() => Err(format!("command exited with {code}")),
        (_, output) => Err(output),
    }
}
