-- How alike are the runs that were compared, over training?
-- What `groklab compare` has stored: features by cosine without diagonal, directions of the Fourier lines of their blocks,
-- key frequencies, and answers on the test cells (--measure agreement). --align fills in the steps between.
SELECT a.name AS run_a, c.step_a, c.kind_a, b.name AS run_b, c.step_b, c.kind_b,
       max(CASE c.measure WHEN 'cosine_nodiag' THEN round(c.value, 4) END) AS cosine_nodiag,
       max(CASE c.measure WHEN 'line_distance' THEN round(c.value, 4) END) AS line_distance,
       max(CASE c.measure WHEN 'key_overlap' THEN round(c.value, 4) END) AS key_overlap,
       max(CASE c.measure WHEN 'agreement' THEN round(c.value, 4) END) AS agreement,
       max(CASE c.measure WHEN 'agreement_wrong' THEN round(c.value, 4) END) AS agreement_wrong
FROM comparison c JOIN run a ON a.id = c.run_a JOIN run b ON b.id = c.run_b
WHERE c.measure IN ('cosine_nodiag', 'line_distance', 'key_overlap', 'agreement', 'agreement_wrong')
GROUP BY c.run_a, c.run_b, c.kind_a, c.kind_b, c.step_a, c.step_b
ORDER BY c.run_a, c.run_b, c.kind_a, c.step_a, c.step_b;
