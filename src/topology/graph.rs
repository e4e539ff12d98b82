//! The shape of a topology, as data.

use serde::Serialize;

/// What an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Brings tuples in.
    Spout,
    /// Works on them.
    Bolt,
    /// Stores them.
    Sink,
}

impl Kind {
    /// The word used in descriptions and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Spout => "spout",
            Kind::Bolt => "bolt",
            Kind::Sink => "sink",
        }
    }
}

/// A node of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// Unique in the topology.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Tasks, with the configuration applied; a chained operator has those of the one it is chained to.
    pub parallelism: usize,
    /// Whether it runs in the task of the operator before it.
    pub chained: bool,
    /// Type of the tuples it takes; `None` for a spout.
    pub takes: Option<String>,
    /// Type of the tuples it emits; `None` for a sink.
    pub emits: Option<String>,
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Name of the operator it leaves.
    pub from: String,
    /// Name of the operator it reaches.
    pub to: String,
    /// Closures fused into it, in order.
    pub steps: Vec<String>,
    /// `same task` for a chained operator, otherwise the grouping.
    pub grouping: String,
    /// Type of the tuples that arrive.
    pub tuple: String,
}

/// A topology as data: operators in the order in which they were built, and the edges between them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// Name of the topology.
    pub topology: String,
    /// Nodes.
    pub operators: Vec<Operator>,
    /// Arrows.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// For people: one paragraph an operator, with what reaches it.
    pub fn to_text(&self) -> String {
        let mut text = format!("topology {}\n", self.topology);
        for operator in &self.operators {
            let tasks = match (operator.chained, operator.parallelism) {
                (true, _) => "chained".to_owned(),
                (false, 1) => "1 task".to_owned(),
                (false, n) => format!("{n} tasks"),
            };
            text.push_str(&format!("\n  {} {} ({tasks})\n", operator.kind.as_str(), operator.name));
            for edge in self.edges.iter().filter(|edge| edge.to == operator.name) {
                text.push_str(&format!("    from {} by {} : {}\n", edge.from, label(edge), edge.tuple));
            }
            if let Some(emits) = &operator.emits {
                text.push_str(&format!("    emits {emits}\n"));
            }
        }
        text
    }

    /// One JSON object.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a graph has only string keys")
    }

    /// A Mermaid flowchart.
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (at, operator) in self.operators.iter().enumerate() {
            let name = format!("{} ×{}", operator.name, operator.parallelism);
            let node = match operator.kind {
                Kind::Spout => format!("n{at}([\"{name}\"])"),
                Kind::Bolt => format!("n{at}[\"{name}\"]"),
                Kind::Sink => format!("n{at}[(\"{name}\")]"),
            };
            text.push_str(&format!("    {node}\n"));
        }
        for edge in &self.edges {
            let (from, to) = (self.index(&edge.from), self.index(&edge.to));
            text.push_str(&format!("    n{from} -- \"{}\" --> n{to}\n", label(edge)));
        }
        text
    }

    /// A Graphviz digraph.
    pub fn to_dot(&self) -> String {
        let mut text = format!("digraph \"{}\" {{\n    rankdir=LR;\n", self.topology);
        for operator in &self.operators {
            let shape = match operator.kind {
                Kind::Spout => "ellipse",
                Kind::Bolt => "box",
                Kind::Sink => "cylinder",
            };
            let (name, tasks) = (&operator.name, operator.parallelism);
            text.push_str(&format!("    \"{name}\" [shape={shape}, label=\"{name} ×{tasks}\"];\n"));
        }
        for edge in &self.edges {
            text.push_str(&format!("    \"{}\" -> \"{}\" [label=\"{}\"];\n", edge.from, edge.to, label(edge)));
        }
        text.push_str("}\n");
        text
    }

    fn index(&self, name: &str) -> usize {
        self.operators.iter().position(|operator| operator.name == name).unwrap_or_default()
    }
}

fn label(edge: &Edge) -> String {
    let mut parts = edge.steps.clone();
    parts.push(edge.grouping.clone());
    parts.join(" → ")
}

/// The name of a type without the paths of its parts.
pub(super) fn type_name<T: ?Sized>() -> String {
    let full = std::any::type_name::<T>();
    let mut short = String::new();
    let mut word = 0;
    for (at, c) in full.char_indices() {
        if c.is_alphanumeric() || c == '_' || c == ':' {
            continue;
        }
        short.push_str(last_segment(&full[word..at]));
        short.push(c);
        word = at + c.len_utf8();
    }
    short.push_str(last_segment(&full[word..]));
    short
}

fn last_segment(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #[test]
    fn type_names_lose_their_paths() {
        assert_eq!(super::type_name::<Vec<Option<std::sync::Arc<String>>>>(), "Vec<Option<Arc<String>>>");
        assert_eq!(super::type_name::<(u64, &'static str)>(), "(u64, &str)");
    }
}
