socket.emit('audio_analysis', {
  universeId: 'universe-123',
  analysis: {
    frequencies: [
      /* frequency data */
    ],
    waveform: [
      /* waveform data */
    ],
    timestamp: '2024-03-21T10:30:00Z',
  },
});
