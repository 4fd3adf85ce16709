-- Which measure moved first in each run?
-- A measure's time is the step at which it has made half of its whole way, from its first value to its last; what it
-- does in the other direction before that does not count. One that turns back, having gone half as far again, has none.
-- A time is known to the step at which the measure was taken: times closer than measure_every are not told apart.
WITH watched AS (
    SELECT id, name FROM metric_name
    WHERE name IN ('restricted_loss', 'excluded_loss', 'circulant_deviation', 'circulance', 'agop_alignment_nodiag',
                   'nfa_correlation_nodiag', 'gini_embed', 'gini_neuron_logit', 'logit_fve', 'wl_residual',
                   'spectrum_entropy', 'weight_norm_sq', 'train_accuracy', 'test_loss', 'test_accuracy')
), ends AS (
    SELECT r.id AS run_id, w.id AS metric_id, w.name,
           (SELECT m.value FROM metric m WHERE m.run_id = r.id AND m.metric_id = w.id AND m.value IS NOT NULL
            ORDER BY m.step LIMIT 1) AS first,
           (SELECT m.value FROM metric m WHERE m.run_id = r.id AND m.metric_id = w.id AND m.value IS NOT NULL
            ORDER BY m.step DESC LIMIT 1) AS last
    FROM run r CROSS JOIN watched w
), halfway AS (
    SELECT run_id, name, first, last,
           (SELECT min(m.step) FROM metric m WHERE m.run_id = e.run_id AND m.metric_id = e.metric_id
            AND (m.value - e.first) / (e.last - e.first) >= 0.5) AS step
    FROM ends e WHERE first <> last AND NOT EXISTS (
        SELECT 1 FROM metric m WHERE m.run_id = e.run_id AND m.metric_id = e.metric_id
        AND (m.value - e.first) / (e.last - e.first) > 1.5)
)
SELECT s.run, s.method, row_number() OVER (PARTITION BY s.run_id ORDER BY h.step, h.name) AS place, h.name AS measure,
       h.step AS halfway_step, s.grokked_step, h.first, h.last
FROM halfway h JOIN run_summary s ON s.run_id = h.run_id
ORDER BY s.run_id, place;
