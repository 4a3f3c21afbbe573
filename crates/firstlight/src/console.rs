//! The server's port to containers, plugged into the runtime: the same shapes on both sides, joined here because
//! neither knows the other.

use firstlight_pod::PodId;
use firstlight_runtime::Runtime;
use firstlight_runtime::logs::LogOptions as RuntimeLogOptions;
use firstlight_runtime::session::{ExecOptions as RuntimeExecOptions, Session as RuntimeSession, SessionError};
use firstlight_server::console::{
    Answer, Console, ConsoleError, ContainerRef, Duplex, ExecOptions, LogOptions, PodRef, Session,
};
use tokio::io::AsyncRead;

/// The runtime as the server sees it.
pub(crate) struct RuntimeConsole {
    runtime: Runtime,
}

impl RuntimeConsole {
    pub(crate) fn new(runtime: Runtime) -> RuntimeConsole {
        RuntimeConsole { runtime }
    }
}

impl Console for RuntimeConsole {
    fn pods(&self) -> Vec<PodRef> {
        let pods = self.runtime.pods().into_iter();
        pods.map(|PodId { namespace, name, uid }| PodRef { namespace, name, uid }).collect()
    }

    fn logs<'a>(&'a self, of: &'a ContainerRef, options: LogOptions) -> Answer<'a, Box<dyn AsyncRead + Send + Unpin>> {
        let LogOptions { previous, follow, tail, since, timestamps, limit } = options;
        let options = RuntimeLogOptions { previous, follow, tail, since, timestamps, limit };
        Box::pin(async move { self.runtime.logs(&pod(of), &of.container, options).await.map_err(refused) })
    }

    fn exec<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session> {
        Box::pin(async move {
            let session = self.runtime.exec(&pod(of), &of.container, translate(options)).await;
            session.map(adopt).map_err(refused)
        })
    }

    fn attach<'a>(&'a self, of: &'a ContainerRef, options: ExecOptions) -> Answer<'a, Session> {
        Box::pin(async move {
            let session = self.runtime.attach(&pod(of), &of.container, translate(options)).await;
            session.map(adopt).map_err(refused)
        })
    }

    fn dial<'a>(&'a self, of: &'a ContainerRef, port: u16) -> Answer<'a, Box<dyn Duplex>> {
        Box::pin(async move {
            let stream = self.runtime.dial(&pod(of), port).await.map_err(refused)?;
            Ok(Box::new(stream) as Box<dyn Duplex>)
        })
    }
}

fn pod(of: &ContainerRef) -> PodId {
    let ContainerRef { namespace, pod, uid, container: _ } = of.clone();
    PodId { namespace, name: pod, uid }
}

fn translate(options: ExecOptions) -> RuntimeExecOptions {
    let ExecOptions { command, stdin, stdout, stderr, tty } = options;
    RuntimeExecOptions { command, stdin, stdout, stderr, tty }
}

fn adopt(session: RuntimeSession) -> Session {
    let RuntimeSession { stdin, stdout, stderr, resize, exit } = session;
    Session { stdin, stdout, stderr, resize, exit: Box::pin(async move { exit.await.map_err(refused) }) }
}

fn refused(error: SessionError) -> ConsoleError {
    match error {
        SessionError::NotFound(what) => ConsoleError::NotFound(what),
        SessionError::BadState(what) => ConsoleError::BadState(what),
        SessionError::Failed(what) => ConsoleError::Failed(what),
    }
}
