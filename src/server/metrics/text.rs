//! Families of numbers, and how they become text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::base::measure::HistogramState;

/// A label and its value.
pub(super) type Label = (&'static str, String);

/// All families of one answer.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<Family>);

/// One name, with a value for each set of labels.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    rows: Vec<(Vec<Label>, Value)>,
}

#[derive(Debug)]
enum Value {
    Count(f64),
    Gauge(f64),
    Histogram { sum: f64, buckets: Vec<(f64, u64)> },
}

impl Families {
    /// A number that only grows; `_total` is added to its name.
    pub(super) fn counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        rows: impl IntoIterator<Item = (Vec<Label>, f64)>,
    ) {
        let rows = rows.into_iter().map(|(labels, value)| (labels, Value::Count(value)));
        self.add(name, help, MetricType::Counter, rows.collect());
    }

    /// A single one of these.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.counters(name, help, [(Vec::new(), value)]);
    }

    /// A number that rises and falls.
    pub(super) fn gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        rows: impl IntoIterator<Item = (Vec<Label>, f64)>,
    ) {
        let rows = rows.into_iter().map(|(labels, value)| (labels, Value::Gauge(value)));
        self.add(name, help, MetricType::Gauge, rows.collect());
    }

    /// A single one of these. Without a value the family has no line.
    pub(super) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Into<Option<f64>>,
    ) {
        self.gauges(name, help, value.into().map(|value| (Vec::new(), value)));
    }

    /// How often a value was at most so much; bounds and sum are divided by `unit`.
    pub(super) fn histograms(
        &mut self,
        name: &'static str,
        help: &'static str,
        unit: f64,
        rows: impl IntoIterator<Item = (Vec<Label>, HistogramState)>,
    ) {
        let value = |state: HistogramState| {
            let bounds = state.bounds.iter().map(|bound| number(*bound) / unit);
            let bounds = bounds.chain([f64::INFINITY]);
            Value::Histogram {
                sum: number(state.sum) / unit,
                buckets: bounds.zip(state.counts).collect(),
            }
        };
        let rows = rows.into_iter().map(|(labels, state)| (labels, value(state)));
        self.add(name, help, MetricType::Histogram, rows.collect());
    }

    fn add(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        rows: Vec<(Vec<Label>, Value)>,
    ) {
        self.0.push(Family { name, help, kind, rows });
    }
}

/// One label, for families that have no other.
pub(super) fn one(name: &'static str, value: impl Into<String>) -> Vec<Label> {
    vec![(name, value.into())]
}

/// A count as a number with a point. Beyond 2^53 it is rounded, which nobody will see.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

/// The same of what may be negative.
#[expect(clippy::cast_precision_loss, reason = "metrics are floating point numbers")]
pub(super) fn signed(count: i64) -> f64 {
    count as f64
}

/// What was gathered, on its way into text.
#[derive(Debug)]
pub(super) struct Scrape(Families);

impl From<Families> for Scrape {
    fn from(families: Families) -> Self {
        Self(families)
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in &self.0.0 {
            let mut metric =
                encoder.encode_descriptor(family.name, family.help, None, family.kind)?;
            for (labels, value) in &family.rows {
                // An empty set would be written as braces without anything in them.
                if labels.is_empty() {
                    write(&mut metric, value)?;
                } else {
                    write(&mut metric.encode_family(labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}

fn write(metric: &mut MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => metric.encode_counter::<NoLabelSet, f64, f64>(count, None),
        Value::Gauge(value) => metric.encode_gauge(value),
        Value::Histogram { sum, buckets } => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            metric.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}
