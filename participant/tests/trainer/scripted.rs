//! A trainer that does what a test tells it to, on a Unix socket of its own.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use syndic_participant::trainer::TrainerConfig;
use syndic_proto::trainer::v1::trainer_server::{Trainer, TrainerServer};
use syndic_proto::trainer::v1::{
    DescribeRequest, Description, Metric, RowsPart, ScorePart, ScoredPart, TensorPart, TrainPart,
    TrainedPart, score_part, train_part, trained_part,
};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, transport::Server};

/// Name and version of every scripted trainer.
pub(crate) const NAME: &str = "scripted/1";

/// What happens next in an answer.
#[derive(Clone)]
pub(crate) enum Step<T> {
    /// This is sent.
    Say(T),
    /// The call ends with an error that has these words.
    Refuse(&'static str),
    /// Nothing, ever.
    Wait,
    /// The trainer is gone, and its connections with it.
    Die,
}

/// What it does, whoever asks.
#[derive(Clone)]
pub(crate) struct Script {
    /// What it says of itself.
    pub(crate) description: Description,
    /// What it answers to being asked to train, given how often it was before.
    pub(crate) train: Arc<dyn Fn(usize) -> Vec<Step<TrainedPart>> + Send + Sync>,
    /// What it answers to being asked to score so many rows.
    pub(crate) score: Arc<dyn Fn(usize) -> Vec<Step<ScoredPart>> + Send + Sync>,
}

/// A trainer that runs. Dropping it ends it.
pub(crate) struct Scripted {
    folder: tempfile::TempDir,
    heard: Arc<Heard>,
    end: Sender<()>,
    host: Option<JoinHandle<()>>,
}

/// What it was asked.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) training: Mutex<Vec<Vec<TrainPart>>>,
    pub(crate) scoring: Mutex<Vec<Vec<ScorePart>>>,
}

impl Script {
    /// Changes nothing, and gives every row the same probability.
    pub(crate) fn idle(elements: usize) -> Self {
        let description = Description {
            name: "scripted".into(),
            version: "1".into(),
            trains: true,
            scores: true,
            takes_missing: false,
        };
        Self {
            description,
            train: Arc::new(move |_| vec![Step::Say(update(0, &vec![0.0; elements]))]),
            score: Arc::new(|rows| vec![Step::Say(scores(&vec![0.5; rows]))]),
        }
    }

    /// The same, training like this.
    pub(crate) fn training(self, steps: Vec<Step<TrainedPart>>) -> Self {
        Self { train: Arc::new(move |_| steps.clone()), ..self }
    }

    /// The same, scoring like this.
    pub(crate) fn scoring(self, steps: Vec<Step<ScoredPart>>) -> Self {
        Self { score: Arc::new(move |_| steps.clone()), ..self }
    }

    /// Starts it.
    pub(crate) fn start(self) -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let heard = Arc::<Heard>::default();
        let (end, ended) = channel();
        let served = Served { script: self, heard: heard.clone(), end: end.clone() };
        let runtime = Runtime::new().unwrap();
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(folder.path().join(SOCKET)).unwrap()
        };
        let serving = Server::builder()
            .add_service(TrainerServer::new(served))
            .serve_with_incoming(UnixListenerStream::new(listener));
        runtime.spawn(serving);
        let host = std::thread::spawn(move || {
            let _ = ended.recv();
            // As when a process ends: every task and socket of it is dropped where it stands.
            runtime.shutdown_background();
        });
        Scripted { folder, heard, end, host: Some(host) }
    }
}

impl Scripted {
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    pub(crate) fn config(&self) -> TrainerConfig {
        TrainerConfig { socket: self.socket(), name: NAME.into(), timeout_seconds: 120, uid: None }
    }

    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let _ = self.end.send(());
        if let Some(host) = self.host.take() {
            let _ = host.join();
        }
    }
}

/// Some numbers of a tensor's update.
pub(crate) fn update(tensor: u32, values: &[f64]) -> TrainedPart {
    let part = TensorPart { tensor, values: bytes(values).into() };
    TrainedPart { part: Some(trained_part::Part::Update(part)) }
}

pub(crate) fn metric(name: &str, value: f64) -> TrainedPart {
    TrainedPart { part: Some(trained_part::Part::Metric(Metric { name: name.into(), value })) }
}

pub(crate) fn scores(probabilities: &[f64]) -> ScoredPart {
    ScoredPart { probabilities: bytes(probabilities).into() }
}

pub(crate) fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The rows in the parts of a request.
pub(crate) fn rows_in<'a>(parts: impl IntoIterator<Item = &'a RowsPart>) -> usize {
    parts.into_iter().map(|part| part.rows as usize).sum()
}

struct Served {
    script: Script,
    heard: Arc<Heard>,
    end: Sender<()>,
}

type Answer<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Served {
    fn answer<T: Send + 'static>(&self, steps: Vec<Step<T>>) -> Response<Answer<T>> {
        let end = self.end.clone();
        let said = tokio_stream::iter(steps).then(move |step| {
            let end = end.clone();
            async move {
                match step {
                    Step::Say(part) => Ok(part),
                    Step::Refuse(words) => Err(Status::internal(words)),
                    Step::Wait => std::future::pending().await,
                    Step::Die => {
                        end.send(()).unwrap();
                        std::future::pending().await
                    }
                }
            }
        });
        Response::new(Box::pin(said))
    }
}

#[tonic::async_trait]
impl Trainer for Served {
    type TrainStream = Answer<TrainedPart>;
    type ScoreStream = Answer<ScoredPart>;

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<Description>, Status> {
        Ok(Response::new(self.script.description.clone()))
    }

    async fn train(
        &self,
        request: Request<Streaming<TrainPart>>,
    ) -> Result<Response<Self::TrainStream>, Status> {
        let parts: Vec<TrainPart> = request.into_inner().collect::<Result<_, _>>().await?;
        let before = {
            let mut heard = self.heard.training.lock().unwrap();
            heard.push(parts);
            heard.len() - 1
        };
        Ok(self.answer((self.script.train)(before)))
    }

    async fn score(
        &self,
        request: Request<Streaming<ScorePart>>,
    ) -> Result<Response<Self::ScoreStream>, Status> {
        let parts: Vec<ScorePart> = request.into_inner().collect::<Result<_, _>>().await?;
        let rows = rows_in(parts.iter().filter_map(|part| match &part.part {
            Some(score_part::Part::Rows(rows)) => Some(rows),
            _ => None,
        }));
        self.heard.scoring.lock().unwrap().push(parts);
        Ok(self.answer((self.script.score)(rows)))
    }
}

/// The rows that were handed in a request to train.
pub(crate) fn training_rows<'a>(parts: &'a [TrainPart]) -> Vec<&'a RowsPart> {
    let rows = |part: &'a TrainPart| match &part.part {
        Some(train_part::Part::Rows(rows)) => Some(rows),
        _ => None,
    };
    parts.iter().filter_map(rows).collect()
}

const SOCKET: &str = "socket";
