//! One address for several coordinators: passes TCP on to those that say they are ready, in turn.

use std::io::copy;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::process::is_ready;

/// Where a coordinator listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) participants: u16,
    pub(crate) health: u16,
}

/// Passes on to `backends` whatever comes to `port`, as long as the process lives.
pub(crate) fn balance(port: u16, backends: Vec<Ports>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    thread::spawn(move || {
        for (near, number) in listener.incoming().map_while(Result::ok).zip(0..) {
            let mut backends = backends.clone();
            let turn = number % backends.len();
            backends.rotate_left(turn);
            // Nobody is ready: the connection is dropped, as where nobody listens.
            thread::spawn(move || {
                let ready = backends.into_iter().find(|backend| is_ready(backend.health));
                let far = ready.and_then(|backend| TcpStream::connect(at(backend.participants)).ok());
                if let Some(far) = far {
                    carry(near, far);
                }
            });
        }
    });
}

fn carry(near: TcpStream, far: TcpStream) {
    let pipe = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            // Whoever ends it, the other side hears of it.
            let _ = copy(&mut from, &mut to);
            let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
        })
    };
    let (near_out, far_out) = (near.try_clone().unwrap(), far.try_clone().unwrap());
    pipe(near, far_out);
    pipe(far, near_out);
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
