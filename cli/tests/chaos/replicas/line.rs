//! The line between a coordinator and its database, which can be cut so that nobody is told.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// An open line. What is on its way when it is cut comes through when it is mended.
pub(crate) struct Line {
    pub(crate) port: u16,
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Line {
    /// A line to `port`, open as long as the process lives.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = line.state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    let (near_out, far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                    pass(near, far_out, state.clone());
                    pass(far, near_out, state.clone());
                }
            }
        });
        line
    }

    pub(crate) fn cut(&self) {
        *self.state.0.lock().unwrap() = true;
    }

    pub(crate) fn mend(&self) {
        *self.state.0.lock().unwrap() = false;
        self.state.1.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: Arc<(Mutex<bool>, Condvar)>) {
    thread::spawn(move || {
        let mut bytes = [0; 1 << 14];
        loop {
            let read = from.read(&mut bytes);
            // Ends do not come through either.
            drop(state.1.wait_while(state.0.lock().unwrap(), |is_cut| *is_cut).unwrap());
            match read {
                Ok(count @ 1..) if to.write_all(&bytes[..count]).is_ok() => {}
                _ => break,
            }
        }
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    });
}
