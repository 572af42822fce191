//! Bodies under a limit: of a request, so many bytes in so much time; of an answer, until it is to end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::{Frame, SizeHint};
use syndic_proto::status::{self, with_code};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Sleep, sleep};
use tonic::body::Body;
use tonic::codegen::Bytes;
use tonic::{Code, Status};

/// The body of a request that ends with a refusal where it is too long or too slow.
pub(super) struct Bounded {
    body: Body,
    left: Option<usize>,
    time: Option<Pin<Box<Sleep>>>,
}

/// The body of an answer, which frees its caller's places when it is dropped.
pub(super) struct Answer {
    body: Body,
    _places: Vec<OwnedSemaphorePermit>,
    /// Comes when an answer that goes on has to end.
    ends: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
    has_ended: bool,
}

impl Bounded {
    pub(super) fn new(body: Body, most: Option<usize>, time: Option<Duration>) -> Self {
        Self { body, left: most, time: time.map(|time| Box::pin(sleep(time))) }
    }
}

impl Answer {
    pub(super) fn new(
        body: Body,
        places: Vec<OwnedSemaphorePermit>,
        draining: Option<watch::Receiver<bool>>,
    ) -> Self {
        let ends = draining.map(|mut draining| {
            let ends: Pin<Box<dyn Future<Output = ()> + Send + Sync>> = Box::pin(async move {
                // Without a sender nobody drains.
                if draining.wait_for(|draining| *draining).await.is_err() {
                    std::future::pending().await
                }
            });
            ends
        });
        Self { body, _places: places, ends, has_ended: false }
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        match &frame {
            Poll::Pending => {
                let is_over = self.time.as_mut().is_some_and(|time| time.as_mut().poll(context).is_ready());
                if is_over {
                    let told = "the call did not arrive in the time that it has";
                    return Poll::Ready(Some(Err(with_code(Code::DeadlineExceeded, "call.too-slow", told))));
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                if let Some(left) = &mut self.left {
                    let Some(rest) = left.checked_sub(length) else {
                        let told = "the call is longer than any such call";
                        return Poll::Ready(Some(Err(with_code(Code::OutOfRange, "call.too-long", told))));
                    };
                    *left = rest;
                }
            }
            Poll::Ready(_) => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending()
            && let Some(ends) = &mut self.ends
            && ends.as_mut().poll(context).is_ready()
        {
            self.has_ended = true;
            return Poll::Ready(Some(Ok(Frame::trailers(
                status::come_again().into_http::<()>().into_parts().0.headers,
            ))));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
