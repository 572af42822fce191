//! The line between a coordinator and its database, which can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// An open line.
pub(crate) struct Line {
    pub(crate) port: u16,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    cut: Option<Cut>,
    carried: Vec<TcpStream>,
}

/// How a line is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nobody is told. What is on its way comes through when the line is mended.
    Silent,
    /// Both sides are told, and find nobody when they try again.
    Loud,
}

impl Line {
    /// A line to `port`, open as long as the process lives.
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let line = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let state = line.state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut held = state.0.lock().unwrap();
                if held.cut != Some(Cut::Loud)
                    && let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                {
                    let clones = || (near.try_clone().unwrap(), far.try_clone().unwrap());
                    held.carried.extend([clones().0, clones().1]);
                    let (near_out, far_out) = clones();
                    pass(near, far_out, state.clone());
                    pass(far, near_out, state.clone());
                }
            }
        });
        line
    }

    pub(crate) fn cut(&self, how: Cut) {
        let mut state = self.state.0.lock().unwrap();
        state.cut = Some(how);
        if how == Cut::Loud {
            state.carried.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        }
    }

    pub(crate) fn mend(&self) {
        self.state.0.lock().unwrap().cut = None;
        self.state.1.notify_all();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: Arc<(Mutex<State>, Condvar)>) {
    thread::spawn(move || {
        let mut bytes = [0; 1 << 14];
        loop {
            let read = from.read(&mut bytes);
            // Ends do not come through a silent cut either.
            let is_silent = |state: &mut State| state.cut == Some(Cut::Silent);
            drop(state.1.wait_while(state.0.lock().unwrap(), is_silent).unwrap());
            match read {
                Ok(count @ 1..) if to.write_all(&bytes[..count]).is_ok() => {}
                _ => break,
            }
        }
        let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
    });
}
