//! Taking connections and answering on them, within limits.

use std::convert::Infallible;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::answer::{self, Asked, Question};
use super::body::Answer;
use super::item::State;
use super::patience::Patient;
use super::relay;
use super::scan::Snapshot;
use crate::failure::Failure;

/// What one process bears.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Time for a request's head, and between requests.
    pub header: Duration,
    /// Time without progress of an answer.
    pub write: Duration,
}

/// The largest request head that is read; ours are far smaller.
const LARGEST_HEAD: usize = 16 << 10;

/// More fields than any honest client sends.
const MOST_FIELDS: usize = 64;

/// What all connections share.
struct Service {
    snapshot: watch::Receiver<Snapshot>,
    relayed: Option<PathBuf>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    /// By the first digit of the status.
    answers: [AtomicU64; 6],
    bytes: AtomicU64,
    parked: AtomicU64,
}

/// Descriptors that are not connections: items, watches, the listener, a marker being read.
const OTHER_DESCRIPTORS: usize = 64;

/// As many connections as were asked for and as the system grants descriptors for, once all it grants is taken.
fn bearable(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let granted = if raised.is_ok() { maximum } else { current };
    let granted = granted.and_then(|granted| usize::try_from(granted).ok()).unwrap_or(usize::MAX);
    wanted.min(granted.saturating_sub(OTHER_DESCRIPTORS)).max(1)
}

/// Serves for ever.
pub async fn serve(
    socket: TcpListener,
    snapshot: watch::Receiver<Snapshot>,
    limits: Limits,
    relayed: Option<PathBuf>,
) -> Failure {
    let service = Arc::new(Service { snapshot, relayed, figures: Figures::default() });
    let places = Arc::new(Semaphore::new(bearable(limits.connections)));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Failure::io("serving", "the places are gone");
        };
        let Ok((stream, _)) = socket.accept().await else {
            // Out of descriptors, or a client that is gone already: neither ends us, and neither may spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            connection(stream, service, limits).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, service: Arc<Service>, limits: Limits) {
    let _slower_is_fine = stream.set_nodelay(true);
    let io = TokioIo::new(Patient::new(stream, limits.write));
    let answer = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(service.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_header_size(LARGEST_HEAD)
        .max_headers(MOST_FIELDS);
    // Clients that break off or break the protocol are everyday life.
    let _ended = builder.serve_connection(io, answer).await;
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let (head, _) = request.into_parts();
        let answer = match answer::read(&head.method, &head.uri, &head.headers) {
            Asked::Items => answer::items(&self.snapshot.borrow()),
            Asked::Item(question) => self.item(question, &head.headers).await,
            Asked::Ready => answer::ready(&self.snapshot.borrow()),
            Asked::Health => answer::text("ok\n".to_owned()),
            Asked::Metrics => answer::text(self.metrics()),
            Asked::Wrong(status, why) => answer::wrong(status, &why),
        };
        self.figures.count(&answer);
        answer
    }

    /// Answers about an item, when there is something to say or the time is over.
    async fn item(&self, question: Question, headers: &HeaderMap) -> Response<Answer> {
        let mut snapshot = self.snapshot.clone();
        if !question.wait.is_zero() {
            self.figures.parked.fetch_add(1, Ordering::Relaxed);
            let answerable = snapshot.wait_for(|snapshot| snapshot.draining || answer::answerable(&question, snapshot));
            // Over time is answered like any other question.
            let _in_time = tokio::time::timeout(question.wait, answerable).await;
            self.figures.parked.fetch_sub(1, Ordering::Relaxed);
        }
        let now = snapshot.borrow();
        answer::item(&question, &now, headers)
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        let Figures { answers, bytes, parked } = &self.figures;
        text.push_str("# TYPE firstlight_expose_answers_total counter\n");
        for (class, count) in answers.iter().enumerate().skip(2) {
            let count = count.load(Ordering::Relaxed);
            let _infallible = writeln!(text, "firstlight_expose_answers_total{{class=\"{class}xx\"}} {count}");
        }
        text.push_str("# TYPE firstlight_expose_bytes_total counter\n");
        let _infallible = writeln!(text, "firstlight_expose_bytes_total {}", bytes.load(Ordering::Relaxed));
        text.push_str("# TYPE firstlight_expose_parked gauge\n");
        let _infallible = writeln!(text, "firstlight_expose_parked {}", parked.load(Ordering::Relaxed));
        text.push_str("# TYPE firstlight_expose_item_published gauge\n");
        for (name, state) in &self.snapshot.borrow().items {
            let published = u8::from(matches!(state, State::Published(_)));
            let _infallible = writeln!(text, "firstlight_expose_item_published{{item=\"{name}\"}} {published}");
        }
        if let Some(directory) = &self.relayed {
            text.push_str(&relay::figures(directory));
        }
        text
    }
}

impl Figures {
    fn count(&self, answer: &Response<Answer>) {
        let class = usize::from(answer.status().as_u16() / 100);
        if let Some(count) = self.answers.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Answer::Stretch { next, end, .. } = answer.body() {
            self.bytes.fetch_add(end - next, Ordering::Relaxed);
        }
    }
}
