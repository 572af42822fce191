//! A way to a server that can be closed and opened again, as when a network or the server goes away and comes back.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// Passes connections on as long as it is open.
pub(crate) struct Gateway {
    port: u16,
    passing: Arc<Mutex<Passing>>,
}

#[derive(Default)]
struct Passing {
    is_closed: bool,
    ends: Vec<TcpStream>,
}

impl Gateway {
    /// Leads to `port` of this host.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let gateway = Self { port: listener.local_addr().unwrap().port(), passing: Arc::default() };
        let passing = gateway.passing.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut passing = passing.lock().unwrap();
                if passing.is_closed {
                    continue;
                }
                if let Ok(server) = TcpStream::connect(("127.0.0.1", port)) {
                    pass(&client, &server);
                    pass(&server, &client);
                    passing.ends.extend([client, server]);
                }
            }
        });
        gateway
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends every connection, and lets none through.
    pub(crate) fn close(&self) {
        let mut passing = self.lock();
        passing.is_closed = true;
        for end in passing.ends.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn open(&self) {
        self.lock().is_closed = false;
    }

    fn lock(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap()
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        // Whichever end fails, the other is told.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
