//! How long a connection may hold its place: what is silent, or never ends what it sends, makes room for others.
//!
//! Knows neither sockets nor routes: it counts requests under way and notices when nothing moves.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};

/// What happens on one connection. Clones share it.
#[derive(Clone)]
pub(crate) struct Activity(Arc<Inner>);

struct Inner {
    under_way: AtomicUsize,
    moved: Notify,
    last: Mutex<Instant>,
}

impl Activity {
    /// Nothing has moved yet.
    pub(crate) fn begins() -> Self {
        let (under_way, moved) = (AtomicUsize::new(0), Notify::new());
        Self(Arc::new(Inner { under_way, moved, last: Mutex::new(Instant::now()) }))
    }

    /// A request is under way until the guard is dropped.
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        self.moves();
        UnderWay(self.clone())
    }

    fn moves(&self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.moved.notify_one();
    }

    /// Comes back once no request is under way and nothing has moved for so long, what is past included.
    pub(crate) async fn has_rested(&self, quiet: Duration) {
        loop {
            let last = *self.0.last.lock().unwrap_or_else(PoisonError::into_inner);
            let moved = timeout_at(last + quiet, self.0.moved.notified()).await.is_ok();
            if !moved && self.0.under_way.load(Ordering::SeqCst) == 0 {
                return;
            }
            if !moved {
                self.0.moved.notified().await;
            }
        }
    }

    /// Comes back once no request is under way and nothing moved for so long: `first` before the first request came,
    /// `then` after it.
    pub(crate) async fn rests(&self, first: Duration, then: Duration) {
        let mut patience = first;
        loop {
            match timeout(patience, self.0.moved.notified()).await {
                Ok(()) => patience = then,
                Err(_) if self.0.under_way.load(Ordering::SeqCst) == 0 => return,
                Err(_) => {}
            }
        }
    }
}

/// See [`Activity::begin`].
pub(crate) struct UnderWay(Activity);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.under_way.fetch_sub(1, Ordering::SeqCst);
        self.0.moves();
    }
}

/// A request's body that has to arrive in time.
pub(crate) struct Prompt<B> {
    body: B,
    deadline: Pin<Box<Sleep>>,
}

/// The client did not send its body in time.
#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive in time")]
struct Late;

impl<B> Prompt<B> {
    pub(crate) fn new(body: B, within: Duration) -> Self {
        Self { body, deadline: Box::pin(sleep(within)) }
    }
}

impl<B: Body + Unpin> Body for Prompt<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(Late.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body; the connection is not at rest while parts of it are taken.
pub(crate) struct Noticed<B> {
    body: B,
    activity: Activity,
}

impl<B> Noticed<B> {
    pub(crate) const fn new(body: B, activity: Activity) -> Self {
        Self { body, activity }
    }
}

impl<B: Body + Unpin> Body for Noticed<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.activity.moves();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
