//! Uploads that are cut: they go on behind what the coordinator holds, and behind nothing that it only says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use syndic_coordinator::fact::Fact;
use syndic_participant::journal::read_sent;
use syndic_proto::status::code_of;
use syndic_proto::v1::coordination_client::CoordinationClient;
use syndic_proto::v1::{self, SubmitHeader, submit_part::Part};
use syndic_round::coordinator::Input;
use syndic_round::{Digest, ParticipantId, Place, RoundId};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Response, Status};

use crate::between::Meddler;
use crate::known::Known;
use crate::scene::{Fares, Ran, Scene};

type Calls = CoordinationClient<Channel>;

/// One upload, taken apart.
struct Upload {
    header: SubmitHeader,
    /// What comes behind the header's offset.
    body: Vec<u8>,
}

impl Upload {
    fn of(parts: Vec<v1::SubmitPart>) -> Self {
        let mut parts = parts.into_iter().map(|part| part.part.unwrap());
        let Some(Part::Header(header)) = parts.next() else { panic!("no header") };
        let bytes = |part| match part {
            Part::Chunk(bytes) => bytes.to_vec(),
            Part::Header(_) => panic!("a second header"),
        };
        Self { header, body: parts.flat_map(bytes).collect() }
    }

    /// A part of it, as if all before `from` were held.
    fn parts(&self, from: u64, until: usize) -> Vec<v1::SubmitPart> {
        let header = SubmitHeader { offset: from, ..self.header.clone() };
        let part = |part| v1::SubmitPart { part: Some(part) };
        let begin = usize::try_from(from).map_or(until, |from| from.min(until));
        let chunks = self.body[begin..until].chunks(3_000);
        let chunks = chunks.map(|bytes| part(Part::Chunk(bytes.to_vec().into())));
        [part(Part::Header(header))].into_iter().chain(chunks).collect()
    }

    async fn submit(
        &self,
        calls: &mut Calls,
        from: u64,
        until: usize,
    ) -> Result<Response<v1::Receipt>, Status> {
        calls.submit(tokio_stream::iter(self.parts(from, until))).await
    }

    /// Sends it from `from` on, and breaks off when the coordinator has all before `until` on its disk.
    async fn cut(&self, calls: &mut Calls, partial: &PathBuf, from: u64, until: usize) {
        let parts = self.parts(from, until);
        let (sender, receiver) = mpsc::channel(parts.len());
        for part in parts {
            sender.send(part).await.unwrap();
        }
        let digest = Digest::of(&self.header.signed).to_string();
        let arrived = async {
            while size_of(partial, &digest) != Some(until as u64) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = calls.submit(ReceiverStream::new(receiver)) => panic!("its end has not come: {answer:?}"),
            () = arrived => {}
        }
    }
}

/// The length of the partial file that is named after this header.
fn size_of(partial: &PathBuf, header: &str) -> Option<u64> {
    let files = std::fs::read_dir(partial).ok()?;
    let file = files.flatten().find(|file| file.file_name().to_str().unwrap().ends_with(header))?;
    Some(file.metadata().ok()?.len())
}

/// What the coordinator says that it has, once it has noticed that the upload is over.
async fn held(calls: &mut Calls, header: &SubmitHeader) -> v1::UploadedReply {
    loop {
        match calls.uploaded(header.clone()).await {
            Err(status) if code_of(&status) == Some("upload.busy") => tokio::task::yield_now().await,
            held => return held.unwrap().into_inner(),
        }
    }
}

/// Cuts the first upload of participant 2 in round 1 again and again, and tries to go on with it wrongly each time.
#[derive(Default)]
struct AgainAndAgain {
    store: OnceLock<PathBuf>,
    cuts: Mutex<usize>,
}

#[tonic::async_trait]
impl Meddler for AgainAndAgain {
    async fn passing_on(
        &self,
        from: ParticipantId,
        round: &v1::RoundRef,
        parts: Vec<v1::SubmitPart>,
        calls: &mut Calls,
        _known: &Known,
    ) -> Result<Response<v1::Receipt>, Status> {
        if (from.get(), round.round) != (2, 1) {
            return calls.submit(tokio_stream::iter(parts)).await;
        }
        let (upload, partial) = (Upload::of(parts), self.store.get().unwrap().join("blobs/partial"));
        let refused =
            |answer: Result<Response<v1::Receipt>, Status>| code_of(&answer.unwrap_err()).map(String::from);
        let length = upload.body.len();
        let mut behind = 0;
        for at in [1, 100, length / 2, length - 1] {
            upload.cut(calls, &partial, behind, at).await;
            let held = held(calls, &upload.header).await;
            assert!(!held.accepted);
            assert_eq!((held.bytes, &*held.digest), (at as u64, &Digest::of(&upload.body[..at]).0[..]));
            for beyond in [at as u64 + 1, u64::MAX] {
                let answer = upload.submit(calls, beyond, length).await;
                assert_eq!(refused(answer).as_deref(), Some("upload.not-held"));
            }
            let asked = SubmitHeader { offset: 1, ..upload.header.clone() };
            assert_eq!(code_of(&calls.uploaded(asked).await.unwrap_err()), Some("round.malformed"));
            behind = at as u64;
            *self.cuts.lock().unwrap() += 1;
        }
        // More than the plan asks for takes away all of it.
        let mut longer = upload.parts(behind, length);
        longer.push(v1::SubmitPart { part: Some(Part::Chunk(vec![0].into())) });
        let answer = calls.submit(tokio_stream::iter(longer)).await;
        assert_eq!(refused(answer).as_deref(), Some("round.mismatch"));
        assert_eq!(held(calls, &upload.header).await, v1::UploadedReply::default());
        // And so do bytes that the header was not signed over.
        let mut other = Upload { header: upload.header.clone(), body: upload.body.clone() };
        other.body[length / 2] ^= 1;
        other.cut(calls, &partial, 0, length / 2 + 1).await;
        held(calls, &upload.header).await;
        let answer = upload.submit(calls, length as u64 / 2 + 1, length).await;
        assert_eq!(refused(answer).as_deref(), Some("upload.damaged"));
        assert_eq!(held(calls, &upload.header).await, v1::UploadedReply::default());
        let answer = other.submit(calls, 0, length).await;
        assert_eq!(refused(answer).as_deref(), Some("round.mismatch"));

        let receipt = upload.submit(calls, 0, length).await?;
        let known = calls.uploaded(upload.header.clone()).await.unwrap().into_inner();
        assert_eq!(known, v1::UploadedReply { accepted: true, ..Default::default() });
        // Its header alone has the receipt again, whatever it leaves out.
        assert!(!upload.submit(calls, length as u64, length).await.unwrap().into_inner().fresh);
        Ok(receipt)
    }
}

fn run(institutions: u16, meddler: Arc<impl Meddler + 'static>, store: &OnceLock<PathBuf>) -> Ran {
    let scene = Scene::set(institutions, 0, meddler, |_| Fares::Well);
    store.set(scene.store()).unwrap();
    let ran = scene.run();
    ran.completed();
    let partial = std::fs::read_dir(ran.store().join("blobs/partial")).unwrap();
    assert_eq!(partial.count(), 0, "nothing is held any more");
    ran
}

#[test]
fn a_cut_upload_goes_on_behind_any_byte_that_is_held_and_behind_no_other() {
    let meddler = Arc::new(AgainAndAgain::default());
    let ran = run(5, meddler.clone(), &meddler.store);
    assert_eq!(*meddler.cuts.lock().unwrap(), 4);
    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3, 4, 5]);
}

/// Cuts everybody's first upload in round 1 after 5,000 bytes, and tells of it what he likes.
#[derive(Default)]
struct Cutting {
    store: OnceLock<PathBuf>,
    /// Offset and length of what each has sent in round 1.
    sent: Mutex<BTreeMap<u16, Vec<(u64, usize)>>>,
}

#[tonic::async_trait]
impl Meddler for Cutting {
    async fn passing_on(
        &self,
        from: ParticipantId,
        round: &v1::RoundRef,
        parts: Vec<v1::SubmitPart>,
        calls: &mut Calls,
        _known: &Known,
    ) -> Result<Response<v1::Receipt>, Status> {
        if round.round != 1 {
            return calls.submit(tokio_stream::iter(parts)).await;
        }
        let upload = Upload::of(parts.clone());
        let is_first = {
            let mut sent = self.sent.lock().unwrap();
            let sent = sent.entry(from.get()).or_default();
            sent.push((upload.header.offset, upload.body.len()));
            sent.len() == 1
        };
        let partial = self.store.get().unwrap().join("blobs/partial");
        if is_first {
            upload.cut(calls, &partial, 0, CUT).await;
            held(calls, &upload.header).await;
            return Err(Status::unavailable("cut"));
        }
        if from.get() == 6 && upload.header.offset > 0 {
            // The coordinator's disk changes a byte since it was asked.
            let digest = Digest::of(&upload.header.signed).to_string();
            let file = std::fs::read_dir(&partial).unwrap().map(|file| file.unwrap().path());
            let file = { file }.find(|path| path.to_str().unwrap().ends_with(&digest)).unwrap();
            let mut bytes = std::fs::read(&file).unwrap();
            bytes[100] ^= 1;
            std::fs::write(&file, bytes).unwrap();
        }
        calls.submit(tokio_stream::iter(parts)).await
    }

    fn holding(&self, to: ParticipantId, held: v1::UploadedReply) -> v1::UploadedReply {
        assert_eq!((held.accepted, held.bytes), (false, CUT as u64));
        match to.get() {
            // A digest of other bytes; more than there is; more than that; no digest.
            2 => v1::UploadedReply { digest: Digest::of(b"other bytes").0.to_vec().into(), ..held },
            3 => v1::UploadedReply { bytes: 1 << 30, ..held },
            4 => v1::UploadedReply { bytes: u64::MAX, digest: vec![7; 31].into(), ..held },
            // All of it.
            5 => v1::UploadedReply { accepted: true, ..Default::default() },
            _ => held,
        }
    }
}

#[test]
fn a_participant_goes_on_behind_its_own_bytes_only_and_sends_all_of_them_where_the_coordinator_lies() {
    let meddler = Arc::new(Cutting::default());
    let ran = run(6, meddler.clone(), &meddler.store);

    assert_eq!(ran.exact_sums()[&(1, 1)], [1, 2, 3, 4, 5, 6]);
    let sent = meddler.sent.lock().unwrap();
    let length = sent[&1][0].1;
    let (all, rest, nothing) = ((0, length), (CUT as u64, length - CUT), (length as u64, 0));
    assert_eq!(sent[&1], [all, rest]);
    for lied_to in [2, 3, 4] {
        assert_eq!(sent[&lied_to], [all, all], "participant {lied_to}");
    }
    assert_eq!(sent[&5], [all, nothing, all], "what is said to be there is not");
    assert_eq!(sent[&6], [all, rest, all], "what was there is another's now");

    // On record is how often each of them was begun or gone on with; to be asked what is held is neither.
    let first = Place::Round(RoundId { round: 1, attempt: 1 });
    let begun = ran.facts().into_iter().filter_map(|fact| match fact {
        Fact::Heard { place, input: Input::Submit(signed, _), beside, .. } if place == first => {
            Some((signed.from.get(), beside.begun.unwrap() as usize))
        }
        _ => None,
    });
    let expected: BTreeMap<u16, usize> = sent.iter().map(|(who, sent)| (*who, sent.len())).collect();
    assert_eq!(begun.collect::<BTreeMap<_, _>>(), expected);
    // What an honest participant can meet is no refusal of it.
    assert!(!ran.facts().iter().any(|fact| matches!(fact, Fact::Refused(_))));

    // The journal says how much left the building each time, and that it was the same message.
    let rows = Runtime::new().unwrap().block_on(read_sent(&ran.journal(1))).unwrap();
    let id = RoundId { round: 1, attempt: 1 };
    let rows: Vec<_> =
        rows.iter().filter(|row| row.what == "header" && row.place == Place::Round(id)).collect();
    let [first, second] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.bytes - second.bytes, CUT as u64);
}

/// Bytes after which an upload is cut: in the middle of its first chunk.
const CUT: usize = 5_000;
