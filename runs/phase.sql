-- At which train fraction and weight decay do runs generalise, how often, and how long after they have memorised?
-- Runs that start from someone's weights are left out: they need not have learnt anything themselves.
SELECT s.method, s.op, s.p, s.train_fraction, w.value AS weight_decay, count(*) AS runs,
       count(s.grokked_step) AS grokked, round(avg(s.grokked_step), 1) AS grokked_mean,
       round(stddev_samp(s.grokked_step), 1) AS grokked_sd, round(avg(s.delay), 1) AS delay_mean
FROM run_summary s JOIN param w ON w.run_id = s.run_id AND w.key = 'weight_decay'
WHERE NOT EXISTS (SELECT 1 FROM param i WHERE i.run_id = s.run_id AND i.key = 'init_file' AND i.value <> '')
GROUP BY s.method, s.op, s.p, s.train_fraction, w.value
ORDER BY s.method, s.op, s.p, s.train_fraction, w.value;
