//! No record allocates on its road through the client: what is allocated for a hundred thousand records is what their few
//! batches take, whichever way they are sent and received. And what is buffered stays within its limit.
//!
//! The client has this thread alone; the broker has one of its own, whose allocations are not counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::mpsc;
use std::time::Duration;

use tidemill_client::{AutoOffsetReset, Consumer, ConsumerConfig, Producer, ProducerConfig, Record};
use tidemill_testkit::{ClusterConfig, TestCluster};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static HELD_BYTES: Cell<isize> = const { Cell::new(0) };
    static HELD_BYTES_MAX: Cell<isize> = const { Cell::new(0) };
}

fn hold(bytes: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    HELD_BYTES.set(HELD_BYTES.get() + bytes as isize);
    HELD_BYTES_MAX.set(HELD_BYTES_MAX.get().max(HELD_BYTES.get()));
}

fn let_go(bytes: usize) {
    HELD_BYTES.set(HELD_BYTES.get() - bytes as isize);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        hold(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size);
        let_go(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let_go(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const RECORDS: usize = 100_000;
/// What batches, requests and answers take: a hundredth of an allocation for each record.
const ALLOCATIONS_MAX: usize = RECORDS / 100;

/// How many allocations something takes.
async fn allocations<T>(run: impl Future<Output = T>) -> (T, usize) {
    let before = ALLOCATIONS.get();
    let result = run.await;
    (result, ALLOCATIONS.get() - before)
}

/// Runs on this thread what is given the address of a broker that runs on another, with a topic of one partition.
fn with_broker<F: Future>(run: impl FnOnce(String) -> F) -> F::Output {
    let (told, address) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let broker = std::thread::spawn(move || {
        runtime().block_on(async {
            let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
            cluster.create_topic("clicks", 1, &[]).unwrap();
            told.send(cluster.bootstrap().to_owned()).unwrap();
            let _ = stopped.await;
            cluster.stop().await;
        });
    });
    let result = runtime().block_on(run(address.recv().unwrap()));
    drop(stop);
    broker.join().unwrap();
    result
}

fn producer(bootstrap: &str, buffer_bytes: u32) -> Producer {
    let config =
        ProducerConfig::default().bootstrap_servers(bootstrap).batch_bytes(1_000_000).buffer_bytes(buffer_bytes);
    Producer::new(config).unwrap()
}

#[test]
fn no_record_allocates_between_the_application_and_the_sockets() {
    with_broker(|bootstrap| async move {
        let producer = producer(&bootstrap, 32 << 20);
        let value = [b'x'; 100];
        let record = Record::new("clicks").key(b"key").value(&value);
        // Connections, metadata, the producer id, and the first buffers.
        producer.send(record).await.unwrap().await.unwrap();

        let mut deliveries = Vec::with_capacity(RECORDS);
        let ((), count) = allocations(async {
            for _ in 0..RECORDS {
                deliveries.push(producer.send(record).await.unwrap());
            }
            producer.flush().await;
        })
        .await;
        println!("send: {count}");
        assert!(count < ALLOCATIONS_MAX, "send: {count}");
        let offsets = async {
            let mut last = None;
            for delivery in deliveries {
                last = delivery.await.unwrap().offset;
            }
            last
        };
        assert_eq!(offsets.await, Some(RECORDS as i64));

        let records = vec![record; 1_000];
        let ((), count) = allocations(async {
            for _ in 0..RECORDS / 1_000 {
                drop(producer.send_batch(&records).await);
            }
            producer.flush().await;
        })
        .await;
        println!("send_batch: {count}");
        assert!(count < ALLOCATIONS_MAX, "send_batch: {count}");

        let reader = || {
            let config =
                ConsumerConfig::default().bootstrap_servers(&*bootstrap).auto_offset_reset(AutoOffsetReset::Earliest);
            let consumer = Consumer::new(config).unwrap();
            consumer.assign([tidemill_client::TopicPartition::new("clicks", 0)]).unwrap();
            consumer
        };
        let all = 2 * RECORDS;
        let consumer = reader();
        let mut seen = consumer.recv_batch().await.unwrap().len();
        let ((), count) = allocations(async {
            let mut bytes = 0;
            while seen < all {
                let batch = consumer.recv_batch().await.unwrap();
                bytes += batch.iter().filter_map(|record| record.value()).map(<[u8]>::len).sum::<usize>();
                seen += batch.len();
            }
            assert!(bytes > 0);
        })
        .await;
        println!("recv_batch: {count}");
        assert!(count < 2 * ALLOCATIONS_MAX, "recv_batch: {count}");

        let consumer = reader();
        consumer.recv().await.unwrap();
        let ((), count) = allocations(async {
            for _ in 1..all {
                assert_eq!(consumer.recv().await.unwrap().value().map(<[u8]>::len), Some(100));
            }
        })
        .await;
        println!("recv: {count}");
        assert!(count < 2 * ALLOCATIONS_MAX, "recv: {count}");
    });
}

#[test]
fn what_is_buffered_is_never_above_its_limit() {
    const LIMIT: u32 = 8 << 20;
    /// Connections, metadata, requests, answers.
    const BESIDE: isize = 2 << 20;
    with_broker(|bootstrap| async move {
        let before = HELD_BYTES.get();
        HELD_BYTES_MAX.set(before);
        let producer = producer(&bootstrap, LIMIT);
        let value = [b'x'; 1_000];
        let records = vec![Record::new("clicks").value(&value); 100];
        for _ in 0..500 {
            drop(producer.send_batch(&records).await);
        }
        producer.flush().await;
        producer.close(Duration::from_secs(10)).await.unwrap();
        let most = HELD_BYTES_MAX.get() - before;
        println!("{most} bytes");
        assert!(most > 4 << 20, "the counter counts: {most} bytes");
        assert!(most <= LIMIT as isize + BESIDE, "{most} bytes");
    });
}
