//! Where the bucket is, and who we are there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};
use thiserror::Error;
use zeroize::Zeroizing;

/// A prefix of a bucket of an S3-compatible store: `s3://bucket/prefix`.
#[derive(Clone)]
pub struct S3Address {
    bucket: String,
    prefix: String,
    /// Where the store answers, if it is not Amazon's.
    endpoint: Option<String>,
    region: String,
    /// Certificates of authorities that vouch for the store, beside those of this host.
    authorities: Option<Vec<u8>>,
    /// None: those of the environment.
    credentials: Option<Arc<S3Credentials>>,
    /// How long the store may say nothing.
    silence: Duration,
}

/// What requests are signed with. Never shown.
pub struct S3Credentials {
    key_id: String,
    secret: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

/// An address or credentials that cannot be used. It repeats no secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BadBucket {
    /// It is none.
    #[error("it is no address of the form `s3://bucket/prefix`")]
    Malformed,
    /// The endpoint may hold a secret, or leads elsewhere than it seems to.
    #[error(
        "the endpoint is no address of the form `https://host:port`, without `@`, `?` and `#`; keys are in `credentials_file`"
    )]
    Endpoint,
    /// Requests would cross a network without TLS.
    #[error("the endpoint is not `https`, and not on this host")]
    Unprotected,
    /// The file of credentials has not what it should.
    #[error("the file of credentials has no `{0}`; it is written as in `~/.aws/credentials`")]
    NoCredential(&'static str),
    /// The certificates are none.
    #[error("the file of authorities holds no certificates in PEM")]
    NoAuthority,
}

impl S3Address {
    /// The bucket and prefix of `url`, at `endpoint` if the store is not Amazon's.
    ///
    /// # Errors
    ///
    /// [`BadBucket`].
    pub fn new(url: &str, endpoint: Option<&str>, region: &str) -> Result<Self, BadBucket> {
        let rest = url.strip_prefix("s3://").ok_or(BadBucket::Malformed)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
        if bucket.is_empty() || !rest.bytes().all(is_plain) {
            return Err(BadBucket::Malformed);
        }
        // They may hold a secret, and the endpoint is told where the store is.
        if endpoint.is_some_and(|endpoint| endpoint.contains(['@', '?', '#'])) {
            return Err(BadBucket::Endpoint);
        }
        if endpoint.is_some_and(|endpoint| !is_protected(endpoint)) {
            return Err(BadBucket::Unprotected);
        }
        Ok(Self {
            bucket: bucket.into(),
            prefix: prefix.trim_matches('/').into(),
            endpoint: endpoint.map(String::from),
            region: region.into(),
            authorities: None,
            credentials: None,
            silence: LONGEST_SILENCE,
        })
    }

    /// The same with credentials of its own.
    pub fn with_credentials(self, credentials: S3Credentials) -> Self {
        Self { credentials: Some(Arc::new(credentials)), ..self }
    }

    /// The same where certificates in `pem` vouch for the store.
    ///
    /// # Errors
    ///
    /// [`BadBucket::NoAuthority`].
    pub fn with_authorities(self, pem: &[u8]) -> Result<Self, BadBucket> {
        match Certificate::from_pem_bundle(pem) {
            Ok(found) if !found.is_empty() => Ok(Self { authorities: Some(pem.to_owned()), ..self }),
            _ => Err(BadBucket::NoAuthority),
        }
    }

    /// The same of a store that may say nothing for no longer than this.
    #[cfg(test)]
    pub(super) fn silent_for_at_most(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn connect(&self) -> Result<AmazonS3, object_store::Error> {
        let plain = self.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut client = ClientOptions::new()
            .with_allow_http(plain)
            .with_timeout(Duration::from_secs(120))
            // Whoever drives a job and waits here keeps the others from driving it.
            .with_read_timeout(self.silence)
            .with_connect_timeout(Duration::from_secs(10));
        for authority in Certificate::from_pem_bundle(self.authorities.as_deref().unwrap_or_default())? {
            client = client.with_root_certificate(authority);
        }
        let mut builder = match self.credentials.as_deref() {
            None => AmazonS3Builder::from_env(),
            Some(S3Credentials { key_id, secret, token }) => {
                let builder =
                    AmazonS3Builder::new().with_access_key_id(key_id).with_secret_access_key(secret.as_str());
                match token {
                    Some(token) => builder.with_token(token.as_str()),
                    None => builder,
                }
            }
        };
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_client_options(client)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: 4,
                // What said nothing for as long is not asked again.
                retry_timeout: self.silence,
            })
            .build()
    }
}

/// In this time a part of an upload, which is 8 MiB, must have gone up, too.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

impl S3Credentials {
    /// Those of a file as Amazon's own tools write it.
    ///
    /// # Errors
    ///
    /// [`BadBucket::NoCredential`].
    pub fn parse(text: &str) -> Result<Self, BadBucket> {
        let value = |wanted: &'static str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(name, _)| name.trim() == wanted)
                .map(|(_, value)| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .ok_or(BadBucket::NoCredential(wanted))
        };
        Ok(Self {
            key_id: value("aws_access_key_id")?,
            secret: Zeroizing::new(value("aws_secret_access_key")?),
            token: value("aws_session_token").ok().map(Zeroizing::new),
        })
    }
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)?;
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

fn is_protected(endpoint: &str) -> bool {
    let Some(authority) = endpoint.strip_prefix("http://") else { return endpoint.starts_with("https://") };
    let host = authority.split('/').next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, endpoint: Option<&str>) -> BadBucket {
        S3Address::new(url, endpoint, "eu-central-1").err().expect("it must be refused")
    }

    #[test]
    fn addresses_are_read_and_shown() {
        let address =
            S3Address::new("s3://bucket/some/prefix/", Some("https://s3.bank.example"), "x").unwrap();
        assert_eq!(address.to_string(), "s3://bucket/some/prefix at https://s3.bank.example");
        assert_eq!(S3Address::new("s3://bucket", None, "x").unwrap().to_string(), "s3://bucket/");
        for none in [
            "bucket",
            "s3://",
            "s3:///prefix",
            "s3://key:secret@bucket/prefix",
            "https://bucket",
            "s3://bucket/prefix?X-Amz-Signature=secret",
        ] {
            assert_eq!(refusal(none, None), BadBucket::Malformed, "{none}");
        }
    }

    #[test]
    fn an_endpoint_holds_no_secret_and_leads_where_it_seems_to() {
        for bad in [
            "http://localhost:1@evil.example",
            "https://key:sesame@s3.bank.example",
            "https://s3.bank.example/?token=sesame",
            "https://s3.bank.example#sesame",
        ] {
            assert_eq!(refusal("s3://b/p", Some(bad)), BadBucket::Endpoint, "{bad}");
        }
    }

    #[test]
    fn requests_do_not_cross_a_network_without_tls() {
        for bad in ["http://s3.bank.example", "http://10.0.0.1:9000", "s3.bank.example"] {
            assert_eq!(refusal("s3://b/p", Some(bad)), BadBucket::Unprotected, "{bad}");
        }
        for good in
            ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000", "https://s3.bank.example"]
        {
            assert!(S3Address::new("s3://b/p", Some(good), "x").is_ok(), "{good}");
        }
    }

    #[test]
    fn a_file_of_credentials_is_read_and_what_is_not_there_named() {
        let whole = "[default]\naws_access_key_id = A\naws_secret_access_key=B=\n";
        let credentials = S3Credentials::parse(whole).unwrap();
        assert_eq!((&*credentials.key_id, credentials.secret.as_str()), ("A", "B="));
        let refused = S3Credentials::parse("aws_access_key_id = A\n").err().unwrap();
        assert_eq!(refused, BadBucket::NoCredential("aws_secret_access_key"));
    }
}
