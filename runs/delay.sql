-- How does the delay from memorising to generalising depend on weight decay (or ridge) and the train fraction?
-- Runs that start from someone's weights are left out: they need not have learnt anything themselves.
SELECT s.method, s.op, s.p, s.train_fraction, coalesce(w.value, r.value) AS weight_decay_or_ridge,
       count(*) AS runs, count(s.grokked_step) AS grokked,
       median(s.memorised_step) AS memorised_step, median(s.grokked_step) AS grokked_step, median(s.delay) AS delay,
       s.step_unit
FROM run_summary s
LEFT JOIN param w ON w.run_id = s.run_id AND w.key = 'weight_decay'
LEFT JOIN param r ON r.run_id = s.run_id AND r.key = 'ridge'
WHERE NOT EXISTS (SELECT 1 FROM param i WHERE i.run_id = s.run_id AND i.key = 'init_file' AND i.value <> '')
GROUP BY s.method, s.op, s.p, s.train_fraction, weight_decay_or_ridge
ORDER BY s.method, s.op, s.p, s.train_fraction, weight_decay_or_ridge;
