//! librdkafka, measured by the contract that `../README.md` describes, called through its C functions as a C program does.
//!
//! Its settings, and why they are its best:
//!
//! - produce: `enable.idempotence` (which means acks from all), `linger.ms` 5 and `batch.size` 1 MB are the contract's.
//!   `batch.num.messages` is raised from 10,000, so that bytes end a batch; `queue.buffering.max.messages` is raised from
//!   100,000. Records go in by `rd_kafka_produce_batch` without a copy of the value (neither `F_COPY` nor `F_FREE`). When
//!   the queue is full, what was refused is sent again after a poll. `delivery.report.only.error` leaves the report of
//!   success out, which costs an event for each record: what was written is then known from `rd_kafka_flush`.
//! - consume: `rd_kafka_consume_batch_queue` on the consumer's queue. `check.crcs` stays off, as it is by default.
//!   `queued.min.messages` is raised from 100,000, so that it never waits before it fetches, and
//!   `fetch.message.max.bytes` from 1 MB. Offsets are neither stored nor committed.
//! - e2e: `linger.ms` 0 and `rd_kafka_consumer_poll`, which returns with the first record; a batch would wait to be filled.
//! - copy: the values of a transaction's records are sent from the consumer's own memory, without a copy, and freed after
//!   its commit.
#![expect(unsafe_code, reason = "librdkafka is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use contest::{BATCH_BYTES_MAX, COMMIT_INTERVAL, Clock, EndToEnd, Latencies, Mode, Produce, Sum, clicks, fail, fresh};
use rdkafka_sys as sys;
use sys::rd_kafka_resp_err_t::{RD_KAFKA_RESP_ERR__QUEUE_FULL as QUEUE_FULL, RD_KAFKA_RESP_ERR_NO_ERROR as NO_ERROR};

const NAME: &str = "librdkafka";

/// Records that one call hands over or takes.
const BATCH: usize = 1000;

/// Let librdkafka choose.
const ANY_PARTITION: i32 = -1;

/// Deliveries that failed.
static ERRORS: AtomicUsize = AtomicUsize::new(0);

fn main() {
    match contest::mode() {
        Mode::Produce(run) => produce(&run),
        Mode::Consume { bootstrap, topic, records } => consume(&bootstrap, &topic, records),
        Mode::EndToEnd(run) => end_to_end(run),
        Mode::Copy { bootstrap, input, output, records } => copy(&bootstrap, &input, &output, records),
    }
}

fn produce(run: &Produce) {
    let producer = Client::producer(&run.bootstrap, &[("linger.ms", "5"), ("compression.type", &run.codec)]);
    let topic = producer.topic(&run.topic);
    let values = clicks(run.size);
    let mut messages: Vec<_> = values.iter().map(|value| message(value, ANY_PARTITION)).collect();
    let clock = Clock::start();
    let mut sent = 0;
    while sent < run.records {
        let mut count = messages.len().min(run.records - sent);
        if let Some(rate) = run.rate {
            count = count.min((rate / 1000).max(1));
            thread::sleep((clock.at() + Duration::from_secs_f64(sent as f64 / rate as f64)) - Instant::now());
        }
        producer.send(topic, &mut messages[..count], 0);
        sent += count;
    }
    producer.flush();
    clock.report(NAME, "produce", sent, ERRORS.load(Ordering::Relaxed), &[]);
}

fn consume(bootstrap: &str, topic: &str, records: usize) {
    let startup = Clock::start();
    let consumer = Client::consumer(bootstrap, topic, &fresh("librdkafka-consume"));
    let mut read = Sum::default();
    let mut seen = 0;
    let take = |messages: &[*mut sys::rd_kafka_message_t], read: &mut Sum| {
        for message in messages {
            read.add(value_of(*message));
            // SAFETY: it came from librdkafka, and nobody else has it.
            unsafe { sys::rd_kafka_message_destroy(*message) };
        }
        messages.len()
    };
    let mut batch = Vec::with_capacity(BATCH);
    while seen == 0 {
        consumer.receive(&mut batch, 1, Duration::from_millis(100));
        seen += take(&batch, &mut read);
    }
    let clock = Clock::start();
    while seen < records {
        consumer.receive(&mut batch, BATCH.min(records - seen), Duration::from_millis(100));
        seen += take(&batch, &mut read);
    }
    read.check();
    clock.report(NAME, "consume", seen, 0, &startup.startup(&clock));
}

fn end_to_end(run: EndToEnd) {
    let consumer = Client::consumer(&run.bootstrap, &run.topic, &fresh("librdkafka-e2e"));
    let producer = Client::producer(&run.bootstrap, &[("linger.ms", "0")]);
    let topic = producer.topic(&run.topic);
    let epoch = Instant::now();
    let mut latencies = Latencies::new(epoch, run.records);
    let (assigned, is_assigned) = std::sync::mpsc::channel::<()>();
    let (records, partitions) = (run.records, run.partitions);
    let reader = thread::spawn(move || {
        let mut assigned = Some(assigned);
        while latencies.len() < records {
            // Only until the records begin: then they wake it.
            let timeout_ms = if assigned.is_some() { 10 } else { 1000 };
            if let Some(message) = consumer.receive_one(timeout_ms) {
                latencies.add(value_of(message));
                // SAFETY: it came from librdkafka, and nobody else has it.
                unsafe { sys::rd_kafka_message_destroy(message) };
            }
            if assigned.is_some() && consumer.assigned_partitions() == partitions {
                drop(assigned.take());
            }
        }
        latencies
    });
    // The other end is dropped when the partitions are there.
    let _ = is_assigned.recv();
    let begin = Instant::now();
    let mut clock = Clock::start();
    for number in 0..run.unmeasured() + run.records {
        thread::sleep((begin + run.due(number)) - Instant::now());
        if number == run.unmeasured() {
            clock = Clock::start();
        }
        let value = Latencies::value(epoch, number >= run.unmeasured());
        let partition = (number % run.partitions) as i32;
        producer.send(topic, &mut [message(&value, partition)], sys::RD_KAFKA_MSG_F_COPY);
        // SAFETY: the handle is alive.
        unsafe { sys::rd_kafka_poll(producer.handle, 0) };
    }
    let latencies = reader.join().unwrap_or_else(|_| fail("the reader panicked"));
    clock.report(NAME, "e2e", run.records, ERRORS.load(Ordering::Relaxed), &latencies.percentiles());
}

fn copy(bootstrap: &str, input: &str, output: &str, records: usize) {
    let consumer = Client::consumer(bootstrap, input, &fresh("librdkafka-copy"));
    let producer = Client::producer(bootstrap, &[("linger.ms", "5"), ("transactional.id", &fresh("librdkafka-copy"))]);
    let topic = producer.topic(output);
    let input = c_string(input);
    // SAFETY: the handles are alive; errors are freed by `check`.
    unsafe { check("init_transactions", sys::rd_kafka_init_transactions(producer.handle, 60_000)) };
    let mut clock = None;
    let mut seen = 0;
    let mut held: Vec<*mut sys::rd_kafka_message_t> = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    let mut out = Vec::with_capacity(BATCH);
    let mut next: Vec<i64> = Vec::new();
    while seen < records {
        // SAFETY: as above.
        unsafe { check("begin_transaction", sys::rd_kafka_begin_transaction(producer.handle)) };
        let until = Instant::now() + COMMIT_INTERVAL;
        while seen < records {
            let left = until - Instant::now();
            if left.is_zero() {
                break;
            }
            consumer.receive(&mut batch, BATCH.min(records - seen), left);
            if batch.is_empty() {
                continue;
            }
            clock.get_or_insert_with(Clock::start);
            out.clear();
            for record in &batch {
                // SAFETY: it came from librdkafka and is freed after the commit.
                let (partition, offset) = unsafe { ((**record).partition, (**record).offset) };
                out.push(message(value_of(*record), partition));
                let place = partition as usize;
                next.resize(next.len().max(place + 1), -1);
                next[place] = offset + 1;
            }
            producer.send(topic, &mut out, 0);
            held.extend(&batch);
            seen += batch.len();
        }
        // SAFETY: lists, metadata and messages are freed once, after their last use.
        unsafe {
            let offsets = sys::rd_kafka_topic_partition_list_new(next.len() as c_int);
            for (partition, next) in (0..).zip(&next).filter(|(_, next)| **next >= 0) {
                sys::rd_kafka_topic_partition_list_add(offsets, input.as_ptr(), partition);
                sys::rd_kafka_topic_partition_list_set_offset(offsets, input.as_ptr(), partition, *next);
            }
            let group = sys::rd_kafka_consumer_group_metadata(consumer.handle);
            let sent = sys::rd_kafka_send_offsets_to_transaction(producer.handle, offsets, group, -1);
            check("send_offsets_to_transaction", sent);
            sys::rd_kafka_consumer_group_metadata_destroy(group);
            sys::rd_kafka_topic_partition_list_destroy(offsets);
            check("commit_transaction", sys::rd_kafka_commit_transaction(producer.handle, -1));
            for message in held.drain(..) {
                sys::rd_kafka_message_destroy(message);
            }
        }
    }
    let clock = clock.unwrap_or_else(|| fail("nothing was copied"));
    clock.report(NAME, "copy", seen, ERRORS.load(Ordering::Relaxed), &[]);
}

/// A producer or a consumer. It lives as long as the program.
struct Client {
    handle: *mut sys::rd_kafka_t,
    /// The consumer's.
    queue: *mut sys::rd_kafka_queue_t,
}

// SAFETY: librdkafka's handles may be used from any thread.
unsafe impl Send for Client {}

impl Client {
    fn producer(bootstrap: &str, more: &[(&str, &str)]) -> Self {
        let size = BATCH_BYTES_MAX.to_string();
        let settings = [
            ("bootstrap.servers", bootstrap),
            ("enable.idempotence", "true"),
            ("batch.size", &size),
            ("batch.num.messages", "1000000"),
            ("queue.buffering.max.messages", "500000"),
            ("delivery.report.only.error", "true"),
        ];
        let settings: Vec<_> = settings.iter().chain(more).copied().collect();
        Self::new(sys::rd_kafka_type_t::RD_KAFKA_PRODUCER, &settings)
    }

    fn consumer(bootstrap: &str, topic: &str, group: &str) -> Self {
        let settings = [
            ("bootstrap.servers", bootstrap),
            ("group.id", group),
            ("auto.offset.reset", "earliest"),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("isolation.level", "read_committed"),
            ("queued.min.messages", "1000000"),
            ("fetch.message.max.bytes", "8388608"),
        ];
        let mut client = Self::new(sys::rd_kafka_type_t::RD_KAFKA_CONSUMER, &settings);
        let topic = c_string(topic);
        // SAFETY: the handle is alive, and the list is freed after its last use.
        unsafe {
            sys::rd_kafka_poll_set_consumer(client.handle);
            client.queue = sys::rd_kafka_queue_get_consumer(client.handle);
            let topics = sys::rd_kafka_topic_partition_list_new(1);
            sys::rd_kafka_topic_partition_list_add(topics, topic.as_ptr(), ANY_PARTITION);
            let error = sys::rd_kafka_subscribe(client.handle, topics);
            if error != NO_ERROR {
                fail(format_args!("subscribe: {}", name_of(error)));
            }
            sys::rd_kafka_topic_partition_list_destroy(topics);
        }
        client
    }

    fn new(kind: sys::rd_kafka_type_t, settings: &[(&str, &str)]) -> Self {
        let mut reason = [0 as c_char; 512];
        // SAFETY: the buffer is as long as is said; the configuration is handed over to `rd_kafka_new`.
        unsafe {
            let conf = sys::rd_kafka_conf_new();
            for (name, value) in settings {
                let (name, value) = (c_string(name), c_string(value));
                let set =
                    sys::rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), reason.as_mut_ptr(), reason.len());
                if set != sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK {
                    fail(CStr::from_ptr(reason.as_ptr()).to_string_lossy());
                }
            }
            if kind == sys::rd_kafka_type_t::RD_KAFKA_PRODUCER {
                sys::rd_kafka_conf_set_dr_msg_cb(conf, Some(delivered));
            }
            let handle = sys::rd_kafka_new(kind, conf, reason.as_mut_ptr(), reason.len());
            if handle.is_null() {
                fail(CStr::from_ptr(reason.as_ptr()).to_string_lossy());
            }
            Self { handle, queue: ptr::null_mut() }
        }
    }

    fn topic(&self, name: &str) -> *mut sys::rd_kafka_topic_t {
        let name = c_string(name);
        // SAFETY: the handle is alive.
        let topic = unsafe { sys::rd_kafka_topic_new(self.handle, name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() { fail("rd_kafka_topic_new") } else { topic }
    }

    /// Hands records over, and waits as long as there is no room for them.
    fn send(&self, topic: *mut sys::rd_kafka_topic_t, messages: &mut [sys::rd_kafka_message_t], flags: c_int) {
        let flags = flags | sys::RD_KAFKA_MSG_F_PARTITION;
        let mut done = 0;
        while done < messages.len() {
            let rest = &mut messages[done..];
            // SAFETY: the array is as long as is said, and the values live until they are acknowledged or were copied.
            let good = unsafe {
                let (first, count) = (rest.as_mut_ptr(), rest.len() as c_int);
                sys::rd_kafka_produce_batch(topic, ANY_PARTITION, flags, first, count)
            };
            if good as usize == rest.len() {
                return;
            }
            // After the first that found the queue full, none was taken.
            let full = rest.iter().position(|message| message.err == QUEUE_FULL).unwrap_or(rest.len());
            for message in rest[..full].iter().filter(|message| message.err != NO_ERROR) {
                eprintln!("not sent: {}", name_of(message.err));
                ERRORS.fetch_add(1, Ordering::Relaxed);
            }
            done += full;
            if done < messages.len() {
                // SAFETY: the handle is alive.
                unsafe { sys::rd_kafka_poll(self.handle, 1) };
            }
        }
    }

    fn flush(&self) {
        // SAFETY: the handle is alive.
        let error = unsafe { sys::rd_kafka_flush(self.handle, 120_000) };
        if error != NO_ERROR {
            fail(format_args!("flush: {}", name_of(error)));
        }
    }

    /// Takes records; those with an error end the program.
    fn receive(&self, batch: &mut Vec<*mut sys::rd_kafka_message_t>, count_max: usize, timeout: Duration) {
        batch.clear();
        batch.reserve(count_max);
        let timeout_ms = timeout.as_millis() as c_int;
        // SAFETY: there is room for so many pointers, and so many as it says were written.
        unsafe {
            let count = sys::rd_kafka_consume_batch_queue(self.queue, timeout_ms, batch.as_mut_ptr(), count_max);
            batch.set_len(usize::try_from(count).unwrap_or_else(|_| fail("rd_kafka_consume_batch_queue")));
        }
        batch.iter().for_each(|message| check_message(*message));
    }

    fn receive_one(&self, timeout_ms: c_int) -> Option<*mut sys::rd_kafka_message_t> {
        // SAFETY: the handle is alive.
        let message = unsafe { sys::rd_kafka_consumer_poll(self.handle, timeout_ms) };
        if message.is_null() {
            return None;
        }
        check_message(message);
        Some(message)
    }

    fn assigned_partitions(&self) -> usize {
        let mut list = ptr::null_mut();
        // SAFETY: the list is librdkafka's until it is freed here.
        unsafe {
            if sys::rd_kafka_assignment(self.handle, &mut list) != NO_ERROR {
                return 0;
            }
            let count = (*list).cnt as usize;
            sys::rd_kafka_topic_partition_list_destroy(list);
            count
        }
    }
}

/// Called from polls and flushes, only for what failed.
unsafe extern "C" fn delivered(_: *mut sys::rd_kafka_t, message: *const sys::rd_kafka_message_t, _: *mut c_void) {
    // SAFETY: librdkafka lends the message for the time of this call.
    let error = unsafe { (*message).err };
    if error != NO_ERROR {
        eprintln!("not delivered: {}", name_of(error));
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

/// A record that points to its value.
fn message(value: &[u8], partition: i32) -> sys::rd_kafka_message_t {
    sys::rd_kafka_message_t {
        err: NO_ERROR,
        rkt: ptr::null_mut(),
        partition,
        payload: value.as_ptr().cast_mut().cast(),
        len: value.len(),
        key: ptr::null_mut(),
        key_len: 0,
        offset: 0,
        _private: ptr::null_mut(),
    }
}

/// The value of a record that was received and not yet freed.
fn value_of<'a>(message: *const sys::rd_kafka_message_t) -> &'a [u8] {
    // SAFETY: the callers use it before they free the message; a payload has as many bytes as is said.
    unsafe {
        match (*message).payload.is_null() {
            true => &[],
            false => std::slice::from_raw_parts((*message).payload.cast(), (*message).len),
        }
    }
}

fn check_message(message: *const sys::rd_kafka_message_t) {
    // SAFETY: it came from librdkafka and is not freed yet.
    let error = unsafe { (*message).err };
    if error != NO_ERROR {
        fail(format_args!("received: {}", name_of(error)));
    }
}

/// Ends the program when a call for a transaction failed.
///
/// # Safety
/// The error must come from librdkafka; it is not used afterwards.
unsafe fn check(call: &str, error: *mut sys::rd_kafka_error_t) {
    if !error.is_null() {
        // SAFETY: it is not null.
        let reason = unsafe { CStr::from_ptr(sys::rd_kafka_error_string(error)) };
        fail(format_args!("{call}: {}", reason.to_string_lossy()));
    }
}

fn name_of(error: sys::rd_kafka_resp_err_t) -> String {
    // SAFETY: the text is static.
    unsafe { CStr::from_ptr(sys::rd_kafka_err2str(error)) }.to_string_lossy().into_owned()
}

fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| fail("a text with a zero byte"))
}
