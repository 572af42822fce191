//! The network between one institution and its coordinator: a TCP proxy that does to each connection what it is told.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::WriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// What becomes of one connection. The calm of [`Default`] passes every byte on at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// From the institution to the coordinator.
    pub(crate) up: Course,
    /// From the coordinator to the institution.
    pub(crate) down: Course,
    /// Everything that the institution says goes to a second connection, too, whose answers go nowhere.
    pub(crate) is_doubled: bool,
    /// How long nobody gets through once the connection has ended.
    pub(crate) away: Duration,
}

/// What becomes of the bytes of one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    pub(crate) pace: Option<Pace>,
    /// After how many bytes the connection ends, and how.
    pub(crate) end: Option<(u64, End)>,
    /// The place of a byte that arrives as another.
    pub(crate) altered: Option<u64>,
}

/// How slowly bytes pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// At most so many at a time.
    pub(crate) most: usize,
    /// Milliseconds for each time, at least and at most.
    pub(crate) millis: (u64, u64),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides are told.
    Closed,
    /// Both sides are told rudely.
    Reset,
    /// Nobody is told: whatever comes this way from then on is lost.
    Silent,
}

/// An open proxy.
pub(crate) struct Proxy {
    /// Where the institution connects to.
    pub(crate) port: u16,
    struck: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy to the coordinator at `port` which does to the first connections what `weather` says in turn, and leaves
    /// those after them alone.
    pub(crate) fn open(runtime: &Runtime, port: u16, weather: Vec<Weather>, seed: u64) -> Self {
        let struck = Arc::<AtomicUsize>::default();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let own = listener.local_addr().unwrap().port();
        runtime.spawn(forward(listener, port, weather, seed, struck.clone()));
        Self { port: own, struck }
    }

    /// How many connections something has happened to.
    pub(crate) fn struck(&self) -> usize {
        self.struck.load(Ordering::SeqCst)
    }
}

async fn forward(listener: TcpListener, to: u16, weather: Vec<Weather>, seed: u64, struck: Arc<AtomicUsize>) {
    let mut to_come = weather.into_iter();
    let mut number = seed;
    loop {
        let Ok((near, _)) = listener.accept().await else { continue };
        // A coordinator that is down is one that refuses: the connection is dropped.
        let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { continue };
        let doubled = TcpStream::connect((Ipv4Addr::LOCALHOST, to));
        number += 1;
        let Some(weather) = to_come.next() else {
            let calm = Weather::default();
            tokio::spawn(carry(near, far, None, calm, number, struck.clone()));
            continue;
        };
        let twin = if weather.is_doubled { doubled.await.ok() } else { None };
        let away = weather.away;
        let carried = tokio::spawn(carry(near, far, twin, weather, number, struck.clone()));
        if !away.is_zero() {
            // Meanwhile connections wait in the listener's queue, as behind a firewall that drops.
            let _ = carried.await;
            tokio::time::sleep(away).await;
        }
    }
}

async fn carry(
    mut near: TcpStream,
    mut far: TcpStream,
    mut twin: Option<TcpStream>,
    weather: Weather,
    seed: u64,
    struck: Arc<AtomicUsize>,
) {
    if weather.up.pace.is_some() || weather.is_doubled {
        struck.fetch_add(1, Ordering::SeqCst);
    }
    let end = {
        let ((near_in, near_out), (far_in, far_out)) = (near.split(), far.split());
        let (twin_in, twin_out) = twin.as_mut().map(TcpStream::split).unzip();
        tokio::select! {
            end = pass(near_in, far_out, twin_out, weather.up, seed, &struck) => end,
            end = pass(far_in, near_out, None::<WriteHalf<'_>>, weather.down, !seed, &struck) => end,
            () = swallow(twin_in) => End::Closed,
        }
    };
    if end == End::Reset {
        for stream in [near, far] {
            let _ = stream.set_zero_linger();
        }
    }
}

/// Passes bytes on until the connection ends.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut twin: Option<impl AsyncWrite + Unpin>,
    course: Course,
    seed: u64,
    struck: &AtomicUsize,
) -> End {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut passed = 0_u64;
    let mut buffer = vec![0; course.pace.map_or(16 << 10, |pace| pace.most)];
    loop {
        let Ok(mut count @ 1..) = from.read(&mut buffer).await else { return End::Closed };
        if let Some(Pace { millis: (least, most), .. }) = course.pace {
            tokio::time::sleep(Duration::from_millis(rng.random_range(least..=most))).await;
        }
        let within = |place: u64| place.checked_sub(passed).filter(|place| *place < count as u64);
        let end = course.end.and_then(|(place, end)| Some((within(place)?, end)));
        if let Some(altered) = course.altered.and_then(within) {
            buffer[altered as usize] ^= 1 << rng.random_range(0..8);
            struck.fetch_add(1, Ordering::SeqCst);
        }
        if let Some((place, _)) = end {
            count = place as usize;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return End::Closed;
        }
        if let Some(twin) = &mut twin {
            // What becomes of the twin is not this connection's concern.
            let _ = twin.write_all(&buffer[..count]).await;
        }
        passed += count as u64;
        let Some((_, end)) = end else { continue };
        struck.fetch_add(1, Ordering::SeqCst);
        if end == End::Silent {
            while let Ok(1..) = from.read(&mut buffer).await {}
        }
        return end;
    }
}

/// Takes what comes, for ever.
async fn swallow(from: Option<impl AsyncRead + Unpin>) {
    let Some(mut from) = from else { return std::future::pending().await };
    let mut buffer = [0; 1 << 10];
    while let Ok(1..) = from.read(&mut buffer).await {}
    std::future::pending().await
}
