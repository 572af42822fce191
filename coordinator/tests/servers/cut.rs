//! A connection that breaks at a chosen moment: between client and server, on the loopback interface.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// When the connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    Never,
    /// The client says the mark; the server never hears it.
    Before,
    /// The server hears the mark and answers; the client never hears the answer.
    After,
}

/// Passes bytes on, until a client says the mark.
pub struct Cutter {
    port: u16,
    cut: Arc<AtomicU8>,
}

impl Cutter {
    /// Leads to `port`; connections break at `mark`.
    pub async fn to(port: u16, mark: &'static [u8]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let cutter = Self { port: listener.local_addr().unwrap().port(), cut: Arc::default() };
        let cut = cutter.cut.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Where the server is not there the client finds its connection closed.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await {
                    tokio::spawn(pass(client, server, mark, cut.clone()));
                }
            }
        });
        cutter
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on; the cut is made once.
    pub fn set(&self, cut: Cut) {
        self.cut.store(cut as u8, Ordering::SeqCst);
    }
}

async fn pass(client: TcpStream, server: TcpStream, mark: &'static [u8], cut: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut back = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        (from_server, to_client)
    });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
        let is_marked = bytes[..read].windows(mark.len()).any(|window| window == mark);
        let cut = if is_marked { cut.swap(Cut::Never as u8, Ordering::SeqCst) } else { Cut::Never as u8 };
        if cut == Cut::Before as u8 {
            back.abort();
            return;
        }
        if cut == Cut::After as u8 {
            back.abort();
            // The halves are gone with the task, so the server's answer has nowhere to go; that it was heard shows
            // in what it stores.
            let _ = (&mut back).await;
            let _ = to_server.write_all(&bytes[..read]).await;
            let _ = to_server.shutdown().await;
            return;
        }
        if to_server.write_all(&bytes[..read]).await.is_err() {
            break;
        }
    }
    back.abort();
}
