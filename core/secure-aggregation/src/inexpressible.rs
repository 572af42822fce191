//! Attacks that do not compile. Each comes beside its honest twin, which differs in one line and does compile, so that no
//! example fails for another reason than the one it is here for. Built for documentation tests only.

/// A21: a second update under one key, which would give the difference of the two away. Encryption consumes the key.
///
/// ```
/// # use {rand_chacha::ChaCha20Rng, syndic_round::Quantised, syndic_secure_aggregation::{Masks, OneTimeKey}};
/// fn encrypt(key: OneTimeKey, update: Quantised, masks: &Masks, rng: &mut ChaCha20Rng) {
///     key.encrypt(update, masks, rng);
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use {rand_chacha::ChaCha20Rng, syndic_round::Quantised, syndic_secure_aggregation::{Masks, OneTimeKey}};
/// fn encrypt(key: OneTimeKey, update: Quantised, other: Quantised, masks: &Masks, rng: &mut ChaCha20Rng) {
///     key.encrypt(update, masks, rng);
///     key.encrypt(other, masks, rng);
/// }
/// ```
///
/// Nor is there a second copy of a key.
///
/// ```compile_fail,E0599
/// # use {rand_chacha::ChaCha20Rng, syndic_round::Quantised, syndic_secure_aggregation::{Masks, OneTimeKey}};
/// fn encrypt(key: OneTimeKey, update: Quantised, masks: &Masks, rng: &mut ChaCha20Rng) {
///     key.clone().encrypt(update, masks, rng);
/// }
/// ```
struct OneKeyOneUpdate;

/// A24: a key of chosen coefficients, binary ones for instance. Keys are drawn, and nothing else makes one.
///
/// ```
/// # use {rand_chacha::ChaCha20Rng, syndic_secure_aggregation::OneTimeKey};
/// fn key(rng: &mut ChaCha20Rng) -> OneTimeKey {
///     OneTimeKey::generate(rng)
/// }
/// ```
///
/// ```compile_fail,E0451
/// # use {rand_chacha::ChaCha20Rng, syndic_secure_aggregation::OneTimeKey};
/// fn key(rng: &mut ChaCha20Rng) -> OneTimeKey {
///     OneTimeKey { coefficients: Default::default(), ..OneTimeKey::generate(rng) }
/// }
/// ```
struct KeysAreDrawn;

/// A9: a seed that somebody chose or sent. Masks are made from H1 and nothing else makes them.
///
/// ```
/// # use {syndic_round::Digest, syndic_secure_aggregation::Masks};
/// fn masks(h1: &Digest) -> Masks {
///     Masks::new(h1)
/// }
/// ```
///
/// ```compile_fail,E0624
/// # use {syndic_round::Digest, syndic_secure_aggregation::Masks};
/// fn masks(h1: &Digest) -> Masks {
///     Masks::from_seed(7)
/// }
/// ```
struct TheTranscriptChoosesTheMasks;

/// A23: a reveal for a survivor set that nobody certified. It takes a certificate, and only verified signatures make one.
///
/// ```
/// # use {std::collections::BTreeMap, syndic_round::{Certificate, ParticipantId, SurvivorSet}};
/// # use syndic_secure_aggregation::{KeyShare, KeyShareSum};
/// fn reveal(held: &BTreeMap<ParticipantId, KeyShare>, set: &Certificate) -> Option<KeyShareSum> {
///     KeyShareSum::of(held, set).ok()
/// }
/// ```
///
/// ```compile_fail,E0308
/// # use {std::collections::BTreeMap, syndic_round::{Certificate, ParticipantId, SurvivorSet}};
/// # use syndic_secure_aggregation::{KeyShare, KeyShareSum};
/// fn reveal(held: &BTreeMap<ParticipantId, KeyShare>, set: &SurvivorSet) -> Option<KeyShareSum> {
///     KeyShareSum::of(held, set).ok()
/// }
/// ```
///
/// ```compile_fail,E0451
/// # use syndic_round::{Certificate, SurvivorSet};
/// fn certificate(survivors: SurvivorSet) -> Certificate {
///     Certificate { survivors, signatures: Vec::new() }
/// }
/// ```
struct RevealsNeedACertificate;

/// A share of a key among shares of small vectors, or the other way round. What shares are of is in their type.
///
/// ```
/// # use {std::collections::BTreeMap, syndic_round::{Certificate, ParticipantId}};
/// # use syndic_secure_aggregation::{KeyShare, VectorShare, VectorShareSum};
/// fn reveal(held: &BTreeMap<ParticipantId, VectorShare>, set: &Certificate) -> Option<VectorShareSum> {
///     VectorShareSum::of(held, set).ok()
/// }
/// ```
///
/// ```compile_fail,E0308
/// # use {std::collections::BTreeMap, syndic_round::{Certificate, ParticipantId}};
/// # use syndic_secure_aggregation::{KeyShare, VectorShare, VectorShareSum};
/// fn reveal(held: &BTreeMap<ParticipantId, KeyShare>, set: &Certificate) -> Option<VectorShareSum> {
///     VectorShareSum::of(held, set).ok()
/// }
/// ```
///
/// Nor is a vector shared twice: sharing consumes it.
///
/// ```
/// # use {rand_chacha::ChaCha20Rng, syndic_secure_aggregation::{SharingContext, SmallVector}};
/// fn share(vector: SmallVector, context: &SharingContext<'_>, rng: &mut ChaCha20Rng) {
///     vector.share(context, rng).ok();
/// }
/// ```
///
/// ```compile_fail,E0382
/// # use {rand_chacha::ChaCha20Rng, syndic_secure_aggregation::{SharingContext, SmallVector}};
/// fn share(vector: SmallVector, context: &SharingContext<'_>, other: &SharingContext<'_>, rng: &mut ChaCha20Rng) {
///     vector.share(context, rng).ok();
///     vector.share(other, rng).ok();
/// }
/// ```
struct SharesOfOneKind;
