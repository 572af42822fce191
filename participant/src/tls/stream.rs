//! An established connection to the coordinator.

use std::io;
use std::pin::Pin;
#[cfg(feature = "tap")]
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

#[cfg(feature = "tap")]
use super::tap::Tap;

/// A TLS stream whose first bytes were read ahead and are handed out first.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    first: io::Cursor<Vec<u8>>,
    #[cfg(feature = "tap")]
    tap: Option<Arc<dyn Tap>>,
}

impl Connection {
    pub(super) fn new(stream: TlsStream<TcpStream>, first: Vec<u8>) -> Self {
        Self {
            stream,
            first: io::Cursor::new(first),
            #[cfg(feature = "tap")]
            tap: None,
        }
    }

    #[cfg(feature = "tap")]
    pub(super) fn tapped(self, tap: Option<Arc<dyn Tap>>) -> Self {
        Self { tap, ..self }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let ahead = Pin::new(&mut self.first).poll_read(context, buffer);
        match buffer.filled().len() == before {
            true => Pin::new(&mut self.stream).poll_read(context, buffer),
            false => ahead,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        #[cfg(feature = "tap")]
        if let (Some(tap), Poll::Ready(Ok(length))) = (&self.tap, &written) {
            tap.sending(&bytes[..*length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
