//! What a peer can send, hold open or ask for: `[limits]` of `coordinator.toml`.
//!
//! With the defaults a stranger costs a descriptor and some kilobytes for ten seconds, and a member what
//! [`Limits::bytes_of_a_member`] says, whatever it sends.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Every limit of the transport. Each has a default; none can be switched off.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Seconds that a handshake may take.
    pub handshake_seconds: u32,
    /// Connections that have not proved yet whose they are. When one more comes, the oldest of them gives way.
    pub handshakes: usize,
    /// Connections from one address, proved or not; of IPv6 a network of 64 bits counts as one.
    pub connections_per_address: usize,
    /// Connections of one member.
    pub connections_per_member: usize,
    /// Connections in all.
    pub connections: usize,
    /// Seconds after which a connection is told to make room for a new one, with a new look at its certificate.
    pub connection_seconds: u32,
    /// Seconds that it has then to end the calls that are under way.
    pub connection_grace_seconds: u32,
    /// Seconds of silence after which a peer is asked whether it is there, and that it has to say so.
    pub keepalive_seconds: u32,
    /// Calls that one connection may have open.
    pub streams: u32,
    /// Bytes of a call's headers.
    pub header_bytes: u32,
    /// Bytes that a connection may have sent which nobody has read yet.
    pub window_bytes: u32,
    /// Calls that a peer opened and took back before they were looked at, at once; with more of them the connection ends.
    pub resets: usize,
    /// Seconds that the body of a call has to arrive in; an upload has its own patience.
    pub body_seconds: u32,
    /// Calls with large bodies or answers that one member may have under way at once; more wait. Uploads take all places but one
    /// at most, where there are several.
    pub large_calls: usize,
    /// Seconds that calls under way have to end when the coordinator is told to stop.
    pub drain_seconds: u32,
    /// How often one member may call.
    pub calls: Calls,
}

/// How often one member may make each call.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// `Hello`, once a connection.
    pub hello: Rate,
    /// `Duties`, once a connection.
    pub duties: Rate,
    /// `Say`, some eight times a round.
    pub say: Rate,
    /// `Submit`, once a round.
    pub submit: Rate,
    /// `Uploaded`, once for an upload that was cut. Each time what is held of it is read.
    pub uploaded: Rate,
    /// `Fetch`, once or twice a round.
    pub fetch: Rate,
    /// `Closing`, once a spot check.
    pub closing: Rate,
    /// `Chunk`, as often as a spot check looks.
    pub chunk: Rate,
    /// `Cosign`, once a round and once more when the job is over.
    pub cosign: Rate,
    /// Anything else: whether the coordinator is well, for instance.
    pub other: Rate,
}

/// So many calls at once, and so many a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// A second.
    pub per_second: u32,
}

impl Limits {
    /// Why these limits cannot be kept, or would keep everybody out; the key is named.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self) -> Result<(), String> {
        let within = |key: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(format!("`limits.{key}` is {value}, which is not from {least} to {most}"))
        };
        within("handshake_seconds", self.handshake_seconds.into(), 1, 300)?;
        within("handshakes", self.handshakes as u64, 1, 65_536)?;
        within("connections_per_address", self.connections_per_address as u64, 1, 65_536)?;
        within("connections_per_member", self.connections_per_member as u64, 2, 1_024)?;
        within("connections", self.connections as u64, 2, 1_048_576)?;
        within("connection_seconds", self.connection_seconds.into(), 60, 604_800)?;
        within("connection_grace_seconds", self.connection_grace_seconds.into(), 1, 86_400)?;
        within("keepalive_seconds", self.keepalive_seconds.into(), 1, 3_600)?;
        within("streams", self.streams.into(), 4, 1_024)?;
        within("header_bytes", self.header_bytes.into(), 4_096, 1 << 20)?;
        within("window_bytes", self.window_bytes.into(), 65_535, 1 << 26)?;
        within("resets", self.resets as u64, 1, 10_000)?;
        within("body_seconds", self.body_seconds.into(), 1, 3_600)?;
        within("large_calls", self.large_calls as u64, 1, 64)?;
        within("drain_seconds", self.drain_seconds.into(), 1, 3_600)?;
        for (name, Rate { burst, per_second }) in self.calls.named() {
            within(&format!("calls.{name}.burst"), burst.into(), 1, 1_000_000)?;
            within(&format!("calls.{name}.per_second"), per_second.into(), 1, 1_000_000)?;
        }
        Ok(())
    }

    /// Bytes of memory that what one member sends can take at most: on each of its connections what is sent and not read,
    /// headers, and records of TLS; and the messages that are being read.
    pub fn bytes_of_a_member(&self) -> u64 {
        let connection = u64::from(self.window_bytes)
            + u64::from(self.streams) * u64::from(self.header_bytes)
            + 2 * RECORD_BYTES
            + u64::from(self.streams) * (LARGEST_SMALL_BODY as u64);
        self.connections_per_member as u64 * connection
            + self.large_calls as u64 * 2 * (LARGEST_MESSAGE as u64)
    }

    pub(crate) fn handshake_time(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds.into())
    }
}

impl Calls {
    fn named(&self) -> [(&'static str, Rate); 10] {
        [
            ("hello", self.hello),
            ("duties", self.duties),
            ("say", self.say),
            ("submit", self.submit),
            ("uploaded", self.uploaded),
            ("fetch", self.fetch),
            ("closing", self.closing),
            ("chunk", self.chunk),
            ("cosign", self.cosign),
            ("other", self.other),
        ]
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_seconds: 10,
            handshakes: 256,
            connections_per_address: 512,
            connections_per_member: 8,
            connections: 2_048,
            connection_seconds: 3_600,
            connection_grace_seconds: 600,
            keepalive_seconds: 10,
            streams: 16,
            header_bytes: 8 << 10,
            window_bytes: 1 << 20,
            resets: 20,
            body_seconds: 30,
            large_calls: 4,
            drain_seconds: 20,
            calls: Calls::default(),
        }
    }
}

impl Default for Calls {
    fn default() -> Self {
        let rate = |burst, per_second| Rate { burst, per_second };
        Self {
            hello: rate(60, 2),
            duties: rate(60, 2),
            say: rate(2_000, 500),
            submit: rate(400, 100),
            uploaded: rate(60, 2),
            fetch: rate(2_000, 500),
            closing: rate(200, 50),
            chunk: rate(2_000, 500),
            cosign: rate(400, 100),
            other: rate(60, 2),
        }
    }
}

/// Bytes of one message: sealed shares for the largest cohort, and room to spare. Updates come in parts.
pub const LARGEST_MESSAGE: usize = 4 << 20;
/// Bytes of the body of a call that asks for something: names and digests.
pub const LARGEST_SMALL_BODY: usize = 4 << 10;
/// The largest record of TLS 1.3 (RFC 8446 section 5.2), in and out.
const RECORD_BYTES: u64 = 5 + (1 << 14) + 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_their_own_rule() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn a_limit_that_keeps_everybody_out_is_refused_by_name() {
        for (text, key) in [
            ("handshakes = 0", "limits.handshakes"),
            ("connections_per_member = 1", "limits.connections_per_member"),
            ("window_bytes = 100", "limits.window_bytes"),
            ("[calls]\nsay = { burst = 0, per_second = 1 }", "limits.calls.say.burst"),
        ] {
            let limits: Limits = toml::from_str(text).unwrap();
            assert!(limits.check().unwrap_err().contains(&format!("`{key}` is")), "{text}");
        }
        assert!(toml::from_str::<Limits>("handshake = 3").is_err(), "a misspelt key is an error");
    }
}
